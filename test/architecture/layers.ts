/**
 * Who may import whom, as rules over source texts. Paths are relative to the repository, with
 * forward slashes; a violation is a sentence that begins with the path.
 */

import path from 'node:path';
import { readExports, readImports, readTokens } from './source-tokens.ts';

export type Sources = ReadonlyMap<string, string>;

/** A folder imports itself and the ones named here. */
const FOLDERS: Record<string, readonly string[]> = {
  core: [],
  readers: ['core'],
  formats: ['core'],
  detectors: ['core'],
  adapters: ['core'],
  reports: ['core'],
  config: ['core', 'readers', 'formats', 'detectors', 'adapters', 'reports'],
  runtime: ['core', 'readers', 'formats', 'detectors', 'adapters', 'reports', 'config'],
  'main.ts': ['core', 'readers', 'formats', 'detectors', 'adapters', 'reports', 'config', 'runtime'],
};

/** Contracts that other folders may import too, for their types alone. */
const TYPE_CONTRACTS: Record<string, readonly string[]> = { 'src/readers/reader.ts': ['formats'] };

/** Folders without clock, chance, files, clients or output. */
export const PURE_FOLDERS = ['core', 'readers', 'formats', 'detectors'];

/**
 * Built-in modules by folder or file, without `node:`. Folders that are not named may use all but
 * the file system; what reads and writes files is `files`.
 */
const BUILT_IN: Record<string, readonly string[]> = {
  core: ['crypto', 'url', 'zlib'],
  readers: ['buffer', 'stream', 'stream/promises', 'string_decoder'],
  formats: [],
  detectors: [],
  reports: ['util'],
};
const FILE_SYSTEM = /^fs(\/|$)/;
const MAY_USE_FILES = ['src/adapters/file/', 'src/runtime/', 'src/main.ts'];

/** Installed packages, and where each may be imported. A new one is added here. */
const PACKAGES: Record<string, readonly string[]> = {
  commander: ['src/main.ts', 'src/runtime/'],
  'fast-csv': ['src/config/', 'src/readers/', 'src/reports/', 'src/adapters/file/'],
  'ipaddr.js': ['src/config/', 'src/core/', 'src/formats/'],
  tldts: ['src/core/'],
  yauzl: ['src/adapters/file/'],
  yaml: ['src/config/'],
  zod: ['src/config/'],
  kafkajs: ['src/adapters/kafka/'],
  '@elastic/elasticsearch': ['src/adapters/elasticsearch/'],
  bullmq: ['src/adapters/bullmq/'],
  ioredis: ['src/adapters/redis/', 'src/adapters/bullmq/'],
  pino: ['src/runtime/telemetry/'],
  'prom-client': ['src/runtime/telemetry/'],
};

/** Folders of components that never import each other, and the contract of each: a type's name. */
export const COMPONENTS: Record<string, string> = { formats: 'TraceFormat', detectors: 'Detector' };

/** A file that exports a constant of the folder's contract: a format, a detector. */
export function isComponent(file: string, source: string): boolean {
  const contract = COMPONENTS[folderOf(file)];
  if (contract === undefined) return false;
  return readExports(readTokens(source)).some((found) => found.kind === 'value' && found.annotation === contract);
}

export function folderOf(file: string): string {
  return file.split('/')[1];
}

/** Everything that the import rules forbid. */
export function importViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) => {
    const folder = folderOf(file);
    if (FOLDERS[folder] === undefined) return [`${file}: src/${folder} is not a known part of the program`];
    return readImports(readTokens(source)).flatMap(({ module, typeOnly, line }) => {
      const problem = importProblem(file, folder, module, typeOnly, sources);
      return problem === null ? [] : [`${file}:${line}: ${problem}`];
    });
  });
}

function importProblem(file: string, folder: string, module: string | null, typeOnly: boolean, sources: Sources) {
  if (module === null) return 'imports a module that is worked out at run time, which no check can follow';
  if (module.startsWith('node:')) return builtInProblem(file, folder, module);
  if (!module.startsWith('.')) return packageProblem(file, module);
  const target = path.posix.join(path.posix.dirname(file), module);
  if (target === 'package.json' && (folder === 'main.ts' || folder === 'runtime')) return null;
  if (isAsset(file, target)) return null;
  if (!target.startsWith('src/')) return `imports ${target}, which is outside src`;
  if (target.endsWith('.ts') && !sources.has(target)) return `imports ${target}, which does not exist`;
  const targetFolder = folderOf(target);
  if (targetFolder === folder) return siblingProblem(file, folder, target, sources);
  if (FOLDERS[folder].includes(targetFolder)) return null;
  if (typeOnly && TYPE_CONTRACTS[target]?.includes(folder)) return null;
  return `src/${folder} must not import ${target}`;
}

/** What outlives a process, read by its own adapter: `infra/kafka/topics.json` by `src/adapters/kafka`. */
function isAsset(file: string, target: string): boolean {
  const [, folder, adapter] = file.split('/');
  return folder === 'adapters' && target.startsWith(`infra/${adapter}/`) && target.endsWith('.json');
}

function builtInProblem(file: string, folder: string, module: string): string | null {
  const name = module.slice('node:'.length);
  if (FILE_SYSTEM.test(name)) {
    return MAY_USE_FILES.some((place) => file.startsWith(place)) ? null : `must not use files (${module})`;
  }
  if (BUILT_IN[folder] === undefined || BUILT_IN[folder].includes(name)) return null;
  return `src/${folder} must not import ${module}`;
}

function packageProblem(file: string, module: string): string | null {
  const name = module.split('/', module.startsWith('@') ? 2 : 1).join('/');
  if (!Object.hasOwn(PACKAGES, name)) return `imports the package ${name}, which no rule allows anywhere`;
  if (PACKAGES[name].some((place) => file.startsWith(place))) return null;
  return `imports the package ${name}, which belongs to ${PACKAGES[name].join(', ')}`;
}

function siblingProblem(file: string, folder: string, target: string, sources: Sources): string | null {
  if (folder === 'adapters') {
    const [own, other] = [file.split('/'), target.split('/')];
    // A file directly in adapters/ is a contract that all of them share.
    return other.length > 3 && own[2] !== other[2] ? `an adapter must not import another (${target})` : null;
  }
  if (COMPONENTS[folder] === undefined || !isComponent(target, sources.get(target) ?? '')) return null;
  return `nothing in src/${folder} imports one of the ${folder} (${target})`;
}

/** Circles of imports that exist at run time, each once, as `a -> b -> a`. */
export function importCircles(sources: Sources): string[] {
  const targets = new Map(
    [...sources].map(([file, source]) => [
      file,
      readImports(readTokens(source)).flatMap(({ module }) => {
        const target = module?.startsWith('.') ? path.posix.join(path.posix.dirname(file), module) : null;
        return target !== null && sources.has(target) ? [target] : [];
      }),
    ]),
  );
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) circles.push([...trail.slice(start), file].join(' -> '));
    if (start >= 0 || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return circles;
}

/** What a file loads before its first line runs, itself included: files, and packages by name. */
export function loadedAtStart(file: string, sources: Sources, seen = new Set<string>()): Set<string> {
  seen.add(file);
  for (const { module, typeOnly, lazy } of readImports(readTokens(sources.get(file) ?? ''))) {
    if (module === null || typeOnly || lazy) continue;
    const target = module.startsWith('.') ? path.posix.join(path.posix.dirname(file), module) : module;
    if (!sources.has(target)) seen.add(target);
    else if (!seen.has(target)) loadedAtStart(target, sources, seen);
  }
  return seen;
}

/** Clock, chance, output, and arithmetic that two machines may round differently, in the pure folders. */
export function bannedWords(sources: Sources): string[] {
  return [...sources].flatMap(([file, source]) => {
    if (!PURE_FOLDERS.includes(folderOf(file))) return [];
    const tokens = readTokens(source);
    return tokens.flatMap((token, index) => {
      // Enough of the code from here on to know the longest banned phrase.
      const code = tokens
        .slice(index, index + 5)
        .map((one) => (one.kind === 'word' || one.kind === 'mark' ? one.value : '_'))
        .join(' ');
      const found = BANNED.find((banned) => code === banned || code.startsWith(`${banned} `));
      return found === undefined ? [] : [`${file}:${token.line}: ${found.replaceAll(/ (?=[.()])|(?<=[.(]) /g, '')}`];
    });
  });
}

/** Tokens with a blank between them. */
const BANNED = [
  'Date . now',
  'new Date ( )',
  'performance .',
  'Math . random',
  'Math . pow',
  '**',
  '**=',
  'console .',
  'process .',
];
