/** A YAML file as plain values, with the place of each: bounded, without tags, references to the environment filled in. */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type ParsedNode, parseDocument, visit } from 'yaml';
import { type Environment, substitute, type Variable } from './environment.ts';
import { type Path, type PipelineProblem, pathText } from './problem.ts';

/** The largest pipeline with hundreds of tenants and inline cases has a tenth of it. */
export const MAX_YAML_BYTES = 262_144;
/** Levels of brackets and indentation; a pipeline has six. */
const MAX_DEPTH = 32;
/** Repetitions that anchors may make: enough to share a section, too few to grow a file without end. */
const MAX_ALIASES = 32;
/** One mistake in the indentation makes an error of every line below. */
const MAX_SYNTAX_PROBLEMS = 10;

/** Keys whose values are secrets, wherever they stand. */
const SECRET_KEYS = new Set(['password', 'api_key', 'token', 'client_secret']);

/** Our words for the errors of the parser, whose own may quote the value: it could be a secret. */
const YAML_ERRORS: Partial<Record<string, string>> = {
  BAD_SCALAR_START: 'begins with a character that has a meaning in YAML; put quotes around the value',
  BAD_DQ_ESCAPE: 'has a backslash that YAML does not understand; single quotes take text as it is',
  BAD_INDENT: 'is not indented like the lines around it',
  BLOCK_AS_IMPLICIT_KEY: 'has a second key in one line; put quotes around a value that holds ": "',
  MISSING_CHAR: 'a closing quote or bracket, a colon or a comma is missing',
  MULTIPLE_DOCS: 'a second document begins here; a file holds one',
  NON_STRING_KEY: 'a key is a word',
  TAB_AS_INDENT: 'is indented with a tab; use blanks',
  // What a bare ${NAME} within { } is to YAML: one more { }.
  UNEXPECTED_TOKEN: 'is not understood here; within { } and [ ] put quotes around a value that holds { or }',
  TAG_RESOLVE_FAILED: 'has a tag; tags are not used here, put quotes around a value that begins with !',
};

export class YamlFile {
  /** For problems. */
  readonly shown: string;
  /** What the file holds; undefined where it could not be read as YAML. */
  readonly value: unknown;
  readonly problems: PipelineProblem[] = [];
  readonly variables: Variable[] = [];
  readonly #lines = new LineCounter();
  readonly #document: ReturnType<typeof parseDocument<ParsedNode>>;
  /** Scalars with references, and the names among these that have no value. */
  readonly #references = new Map<Node, { unset: readonly string[] }>();

  /** Without an environment (null) texts are taken as they stand. */
  constructor(shown: string, bytes: Uint8Array, environment: Environment | null, maxBytes = MAX_YAML_BYTES) {
    this.shown = shown;
    const text = this.#decode(bytes, maxBytes);
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      schema: 'core',
      resolveKnownTags: false,
      stringKeys: true,
      // The check of the parser compares every key with every other.
      uniqueKeys: false,
      logLevel: 'error',
    });
    for (const { code, pos } of [...this.#document.errors, ...this.#document.warnings].slice(0, MAX_SYNTAX_PROBLEMS)) {
      const known = YAML_ERRORS[isIndentedWithTab(text, pos[0]) ? 'TAB_AS_INDENT' : code];
      const message = known ?? `is no YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
      this.#problemAt(pos[0], [], message);
    }
    if (this.problems.length > 0) return;
    if (environment !== null) this.#fillIn(environment);
    this.#checkNodes();
    if (this.problems.length > 0) return;
    try {
      this.value = this.#document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch {
      this.#problemAt(0, [], `repeats anchors more than ${MAX_ALIASES} times`);
    }
  }

  #decode(bytes: Uint8Array, maxBytes: number): string {
    const problem = (message: string): string => {
      this.#problemAt(0, [], message);
      return '';
    };
    if (bytes.length > maxBytes) return problem(`is larger than ${maxBytes / 1024} KiB`);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return problem('is not UTF-8 text; save it as UTF-8');
    }
    // The parser calls itself for every level, and would take the stack with it.
    return isTooDeep(text) ? problem(`is nested deeper than ${MAX_DEPTH} levels`) : text;
  }

  #fillIn(environment: Environment): void {
    visit(this.#document, {
      Scalar: (key, node, ancestors) => {
        if (key === 'key' || typeof node.value !== 'string') return;
        const { text, variables, unset, malformed } = substitute(node.value, environment);
        if (malformed !== null) {
          const secret = isSecretKey(ancestors.at(-1));
          const example = secret ? '' : ` ${malformed}`;
          this.#problemAt(
            node.range?.[0] ?? 0,
            [],
            `has a reference that is none${example}; write \${NAME} or \${NAME:-default}`,
          );
        }
        // Without a value the reference stays: nobody takes it for what will stand there.
        if (unset.length === 0) node.value = text;
        if (variables.length === 0) return;
        this.variables.push(...variables);
        this.#references.set(node, { unset });
      },
    });
  }

  #checkNodes(): void {
    visit(this.#document, {
      Alias: (_, alias, ancestors) => {
        const meant = alias.resolve(this.#document);
        if (meant !== undefined && ancestors.includes(meant)) {
          this.#problemAt(alias.range?.[0] ?? 0, [], 'refers to the section that it stands in');
        }
        if (meant !== undefined) return;
        const message =
          'refers to an anchor that does not stand before it; put quotes around a value that begins with *';
        this.#problemAt(alias.range?.[0] ?? 0, [], message);
      },
      Map: (_, map) => {
        const seen = new Set<unknown>();
        for (const { key } of map.items) {
          const name = isScalar(key) ? key.value : key;
          if (seen.has(name)) this.#problemAt((key as Node).range?.[0] ?? 0, [String(name)], 'this key stands twice');
          seen.add(name);
        }
      },
    });
  }

  /** A problem with the value, or with the key alone, at a path; the nearest place above it where there is none. */
  problem(path: Path, message: string, more: Partial<PipelineProblem> & { atKey?: boolean } = {}): PipelineProblem {
    const { atKey = false, ...fields } = more;
    return this.#make(this.#offset(path, atKey), path, message, fields);
  }

  /** References to variables that have no value and no default. */
  unsetProblems(): PipelineProblem[] {
    return [...this.#references].flatMap(([node, { unset }]) =>
      unset.map((name) => this.#make(node.range?.[0] ?? 0, [], `the environment has no ${name}`, {})),
    );
  }

  /** A variable without a value stands at the path: nothing can be said about what will be there. */
  isUnset(path: Path): boolean {
    return (this.#references.get(this.#node(path) as Node)?.unset ?? []).length > 0;
  }

  /** The value at the path is written in the file, not taken from the environment. */
  isLiteral(path: Path): boolean {
    return !this.#references.has(this.#node(path) as Node);
  }

  /** Secrets that stand in the file itself. */
  literalSecrets(): Path[] {
    const found: Path[] = [];
    const look = (value: unknown, path: Path): void => {
      if (typeof value !== 'object' || value === null) return;
      for (const [name, inner] of Object.entries(value)) {
        const at = [...path, Array.isArray(value) ? Number(name) : name];
        if (SECRET_KEYS.has(name) && typeof inner === 'string' && inner !== '' && this.isLiteral(at)) found.push(at);
        else look(inner, at);
      }
    };
    look(this.value, []);
    return found;
  }

  #problemAt(offset: number, path: Path, message: string): void {
    this.problems.push(this.#make(offset, path, message, {}));
  }

  #make(offset: number, path: Path, message: string, fields: Partial<PipelineProblem>): PipelineProblem {
    const { line, col } = this.#lines.linePos(offset);
    const place = { line: Math.max(1, line), column: Math.max(1, col) };
    return { file: this.shown, ...place, path: pathText(path), message, severity: 'error', ...fields };
  }

  #node(path: Path): Node | null {
    let node: unknown = this.#document.contents;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) node = pairOf(node, part)?.value ?? null;
      else node = isSeq(node) ? (node.items[Number(part)] ?? null) : null;
    }
    return (isAlias(node) ? node.resolve(this.#document) : node) as Node | null;
  }

  #offset(path: Path, atKey: boolean): number {
    for (let length = path.length; length > 0; length--) {
      const parent = this.#node(path.slice(0, length - 1));
      const pair = isMap(parent) ? pairOf(parent, path[length - 1]) : undefined;
      // What is missing is shown at the key of the section that misses it.
      const node =
        pair !== undefined && (atKey || length < path.length || !isScalar(pair.value)) ? pair.key : undefined;
      const range = ((node ?? pair?.value ?? this.#node(path.slice(0, length))) as Node | null)?.range;
      if (range) return range[0];
    }
    return this.#document.contents?.range?.[0] ?? 0;
  }
}

type YamlMap = { items: { key: unknown; value: unknown }[] };

function pairOf(map: YamlMap, name: string | number): { key: unknown; value: unknown } | undefined {
  return map.items.find(({ key }) => (isScalar(key) ? key.value : key) === name);
}

function isSecretKey(parent: unknown): boolean {
  const key = (parent as { key?: unknown } | undefined)?.key;
  return isScalar(key) && SECRET_KEYS.has(String(key.value));
}

/** The parser says something else of such a line, depending on the line above. */
function isIndentedWithTab(text: string, offset: number): boolean {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return /^ *\t/.test(text.slice(start, offset + 1));
}

/** Counted without understanding: brackets, and blanks in front of a line. Text in quotes counts too. */
function isTooDeep(text: string): boolean {
  let brackets = 0;
  for (const character of text) {
    if (character === '[' || character === '{') brackets++;
    else if ((character === ']' || character === '}') && brackets > 0) brackets--;
    if (brackets > MAX_DEPTH) return true;
  }
  return /^ {200}/m.test(text) || /^ *(?:- +){33}/m.test(text) || /^ *(?:\? +){33}/m.test(text);
}
