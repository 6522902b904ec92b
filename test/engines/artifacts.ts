/**
 * Files of the servers, from Maven repositories: which ones, with which content, is written in
 * `engines.lock.json`; from where, is the machine's business (Maven's own settings).
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { EngineName } from './engines.ts';

/** What one engine is made of. Coordinates are `group:artifact:type:version`. */
export interface LockedEngine {
  version: string;
  /** Size of the download, in MB, for the message that it begins. */
  megabytes: number;
  /** What is asked for; with everything it depends on, or alone. */
  roots: string[];
  withDependencies: boolean;
  /** All files, with their SHA-512 as `sha512sum` prints it. */
  files: Record<string, string>;
}

const LOCK_FILE = path.join(import.meta.dirname, 'engines.lock.json');
const MAVEN_DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const MAVEN_TIMEOUT_MS = 15 * 60_000;

export function readLock(): Record<EngineName, LockedEngine> {
  return JSON.parse(readFileSync(LOCK_FILE, 'utf8'));
}

/** A short text that changes with the content of the lock: for names of folders. */
export function fingerprint(...texts: string[]): string {
  return createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 12);
}

export function hasMaven(): boolean {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, 'mvn')));
}

/** Brings the files of an engine into a folder. Throws when one is not exactly what the lock says. */
export async function fetchFiles(locked: LockedEngine, folder: string): Promise<string[]> {
  const found = await resolveWithMaven(Object.keys(locked.files), false);
  mkdirSync(folder, { recursive: true });
  return Promise.all(
    Object.entries(locked.files).map(async ([coordinates, sha512]) => {
      const source = found.get(coordinates);
      if (source === undefined) throw new Error(`Maven did not find ${coordinates}`);
      const copy = path.join(folder, path.basename(source));
      await copyFile(source, copy);
      const actual = await sha512Of(copy);
      if (actual === sha512) return copy;
      rmSync(copy);
      throw new Error(
        `${source} is not the file that test/engines/engines.lock.json names: SHA-512 ${actual}, expected ${sha512}. ` +
          'Delete it and try again; if it comes back, the repository that Maven asks holds another file',
      );
    }),
  );
}

/** Writes the lock anew, after a change of roots: whatever Maven finds now is what counts from then on. */
export async function lockAnew(): Promise<void> {
  const lock = readLock();
  for (const engine of Object.values(lock)) {
    const found = [...(await resolveWithMaven(engine.roots, engine.withDependencies))].sort();
    engine.files = {};
    for (const [coordinates, file] of found) engine.files[coordinates] = await sha512Of(file);
    const bytes = found.reduce((sum, [, file]) => sum + readFileSync(file).length, 0);
    engine.megabytes = Math.round(bytes / 1e6);
  }
  writeFileSync(LOCK_FILE, `${JSON.stringify(lock, null, 2)}\n`);
}

async function sha512Of(file: string): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Paths in Maven's local repository by coordinates; what is not there yet is downloaded. */
async function resolveWithMaven(roots: string[], withDependencies: boolean): Promise<Map<string, string>> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-maven-'));
  try {
    writeFileSync(path.join(folder, 'pom.xml'), projectOf(roots, withDependencies));
    const list = path.join(folder, 'list.txt');
    const goal = [`${MAVEN_DEPENDENCY_PLUGIN}:list`, `-DoutputFile=${list}`, '-DoutputAbsoluteArtifactFilename=true'];
    await promisify(execFile)('mvn', ['-B', '-ntp', '-q', '-f', path.join(folder, 'pom.xml'), ...goal], {
      timeout: MAVEN_TIMEOUT_MS,
      maxBuffer: 64e6,
    });
    return filesListed(readFileSync(list, 'utf8'));
  } catch (error) {
    const { stdout = '', message } = error as Error & { stdout?: string };
    const reason = stdout.split('\n').find((line) => line.startsWith('[ERROR]')) ?? message;
    throw new Error(`Maven could not bring ${roots[0]} and what belongs to it: ${reason.trim()}`, { cause: error });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lines such as `   org.slf4j:slf4j-api:jar:1.7.36:compile:/path/of/the.jar -- module org.slf4j`. */
export function filesListed(list: string): Map<string, string> {
  const line = /^ +(\S+?:\S+?:\S+?:\S+?):(?:compile|runtime)(?: \(optional\))?:(.+?)(?: -- module .*)?$/gm;
  return new Map([...list.matchAll(line)].map(([, coordinates, file]) => [coordinates, file]));
}

function projectOf(roots: string[], withDependencies: boolean): string {
  const alone = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
  const dependencies = roots.map((root) => {
    const [group, artifact, type, version] = root.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><type>${type}</type>
      <version>${version}</version>${withDependencies ? '' : alone}</dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>relaywatch</groupId><artifactId>engines</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('\n')}</dependencies>
</project>`;
}
