/**
 * TypeScript source as tokens: enough to read imports and exports, and to find words in code that
 * are not in a comment or a text. Not a parser; what it does not understand it refuses loudly.
 */

export interface Token {
  kind: 'word' | 'number' | 'text' | 'template' | 'pattern' | 'mark';
  /** As written; of a text (quoted) what is between the quotes. */
  value: string;
  line: number;
}

/** After these words a slash begins a regular expression, not a division. */
const BEFORE_EXPRESSION = new Set(
  'return typeof case in of delete void throw new else do instanceof yield await default extends'.split(' '),
);
const MARKS = /\*\*=?|=>|\.\.\.|\?\.|[{}()[\];,.<>:?=!&|^~+\-*/%@#]/y;
const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\.?\d(?:[\w.]|(?<=[eE])[+-])*/y;
const TEXT = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/sy;
const PATTERN = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const BLANK = /[\s\ufeff]+|\/\/[^\n]*|\/\*.*?\*\/|^#![^\n]*/sy;
const TEMPLATE_PART = /(?:[^`\\$]|\\.|\$(?!\{))*/sy;

/** Throws with the line on what it cannot read. */
export function readTokens(source: string): Token[] {
  const tokens: Token[] = [];
  /** Depth of braces at which each open template goes on, innermost last. */
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  let line = 1;

  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match === null) return null;
    at += match[0].length;
    return match;
  };
  const push = (kind: Token['kind'], value: string, written: string): void => {
    tokens.push({ kind, value, line });
    line += newlines(written);
  };
  const takeTemplatePart = (): void => {
    const part = take(TEMPLATE_PART) as RegExpExecArray;
    push('template', part[0], part[0]);
    if (source.startsWith('${', at)) {
      at += 2;
      templates.push(depth);
    } else if (source[at] === '`') at += 1;
    else throw new Error(`line ${line}: a template without an end`);
  };

  while (at < source.length) {
    const blank = take(BLANK);
    if (blank !== null) {
      line += newlines(blank[0]);
      continue;
    }
    if (source[at] === '`') {
      at += 1;
      takeTemplatePart();
      continue;
    }
    if (source[at] === '}' && templates.at(-1) === depth) {
      at += 1;
      templates.pop();
      takeTemplatePart();
      continue;
    }
    const word = take(WORD);
    if (word !== null) {
      push('word', word[0], word[0]);
      continue;
    }
    const number = take(NUMBER);
    if (number !== null) {
      push('number', number[0], number[0]);
      continue;
    }
    const text = take(TEXT);
    if (text !== null) {
      push('text', text[1] ?? text[2] ?? '', text[0]);
      continue;
    }
    if (source[at] === '/' && patternMayBegin(tokens.at(-1))) {
      const pattern = take(PATTERN);
      if (pattern === null) throw new Error(`line ${line}: a regular expression without an end`);
      push('pattern', pattern[0], pattern[0]);
      continue;
    }
    const mark = take(MARKS);
    if (mark === null) throw new Error(`line ${line}: cannot read ${JSON.stringify(source.slice(at, at + 20))}`);
    if (mark[0] === '{') depth += 1;
    if (mark[0] === '}') depth -= 1;
    push('mark', mark[0], mark[0]);
  }
  if (depth !== 0 || templates.length > 0) throw new Error('braces that do not match');
  return tokens;
}

function patternMayBegin(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === 'word') return BEFORE_EXPRESSION.has(before.value);
  return before.kind === 'mark' && before.value !== ')' && before.value !== ']' && before.value !== '}';
}

function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

export interface Import {
  /** The module as named; null for a dynamic import whose module is worked out at run time. */
  module: string | null;
  /** Only types: gone when the types are stripped. */
  typeOnly: boolean;
  /** Loaded when the line runs, if ever: `import()`, `require()` and `new URL()`. */
  lazy: boolean;
  line: number;
}

/** Every import: `import`, `import type`, `export … from`, `import()`, `new URL(…, import.meta.url)`, `require()`. */
export function readImports(tokens: readonly Token[]): Import[] {
  const imports: Import[] = [];
  const is = (index: number, value: string): boolean =>
    tokens[index]?.kind !== 'text' && tokens[index]?.value === value;
  const add = (index: number, { typeOnly = false, lazy = false } = {}): void => {
    const token = tokens[index];
    const module = token?.kind === 'text' ? token.value : null;
    imports.push({ module, typeOnly, lazy, line: token?.line ?? 0 });
  };

  for (let i = 0; i < tokens.length; i++) {
    const { kind, value } = tokens[i];
    if (kind !== 'word' || is(i - 1, '.') || is(i - 1, '?.') || is(i + 1, ':')) continue;
    if ((value === 'import' || value === 'require') && is(i + 1, '(')) {
      // `typeof import('x')` and `import('x').Name` after a colon are types, but as bad as an import.
      add(i + 2, { lazy: true });
    } else if (value === 'URL' && is(i - 1, 'new') && is(i + 1, '(')) {
      // An address beside this file is a module or data of it; any other URL is none.
      if (tokens[i + 2]?.kind === 'text' && is(i + 4, 'import') && is(i + 6, 'meta')) add(i + 2, { lazy: true });
    } else if (value === 'import' && tokens[i + 1]?.kind === 'text') {
      add(i + 1);
    } else if ((value === 'import' && !is(i + 1, '.')) || (value === 'export' && exportsFromAfter(i))) {
      const from = fromAfter(i);
      add(from + 1, { typeOnly: is(i + 1, 'type') && !is(i + 2, 'from') });
    }
  }
  return imports;

  function fromAfter(index: number): number {
    let i = index + 1;
    while (i < tokens.length && !(is(i, 'from') && tokens[i + 1]?.kind === 'text')) i += 1;
    return i;
  }

  /** `export *` and `export {…}`, with `type` or without, that go on with `from`. */
  function exportsFromAfter(index: number): boolean {
    let i = is(index + 1, 'type') ? index + 2 : index + 1;
    if (is(i, '*')) return true;
    if (!is(i, '{')) return false;
    while (i < tokens.length && !is(i, '}')) i += 1;
    return is(i + 1, 'from');
  }
}

export interface Export {
  name: string;
  kind: 'type' | 'function' | 'class' | 'value' | 'literal' | 'list';
  /** Of `export const name: Type`, the first word of the type. */
  annotation: string | null;
}

/** What a module exports. `literal` is a constant that is a single number or text. */
export function readExports(tokens: readonly Token[]): Export[] {
  const exports: Export[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i].kind !== 'word' || tokens[i].value !== 'export') continue;
    let j = i + 1;
    while (['declare', 'async', 'abstract', 'default'].includes(tokens[j].value)) j += 1;
    const word = tokens[j].value;
    const name = tokens[j + 1]?.value === '*' ? tokens[j + 2].value : (tokens[j + 1]?.value ?? '');
    if (word === 'interface' || word === 'type') exports.push({ name, kind: 'type', annotation: null });
    else if (word === 'function' || word === 'class') exports.push({ name, kind: word, annotation: null });
    else if (word === 'const' || word === 'let') {
      const annotation = tokens[j + 2].value === ':' ? tokens[j + 3].value : null;
      const literal = tokens[j + 2].value === '=' && tokens[j + 4].value === ';' && isLiteral(tokens[j + 3]);
      exports.push({ name, kind: literal ? 'literal' : 'value', annotation });
    } else exports.push({ name: word, kind: 'list', annotation: null });
  }
  return exports;
}

function isLiteral(token: Token): boolean {
  return token.kind === 'number' || token.kind === 'text';
}
