/** What is wrong in a pipeline file, where, and what would be right. */

/** Keys and indices from the top of a file to a value. */
export type Path = readonly (string | number)[];

export interface PipelineProblem {
  /** As the person named it, or as the file that names it does. */
  file: string;
  /** From 1; where the whole file is meant, 1. */
  line: number;
  column: number;
  /** `inputs.folder.settle_ms`, `tenants[0].key`; empty for the whole file. */
  path: string;
  /** One clause without a full stop; never holds a secret. */
  message: string;
  /** What may stand there instead. */
  allowed?: string[];
  /** The one of these that was probably meant. */
  nearest?: string;
  /** A warning leaves the pipeline usable. */
  severity: 'error' | 'warning';
}

/** How many allowed words a line still reads well with. */
const SHOWN_WORDS = 24;

export function pathText(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** `file:line:column: path: message (allowed: …; did you mean …)`, the form that editors can jump to. */
export function problemLine(problem: PipelineProblem): string {
  const { file, line, column, path, message, allowed = [], nearest, severity } = problem;
  const notes = [
    ...(allowed.length === 0 ? [] : [`allowed: ${wordList(allowed)}`]),
    ...(nearest === undefined ? [] : [`did you mean ${nearest}?`]),
  ];
  const place = `${file}:${line}:${column}: ${severity === 'warning' ? 'warning: ' : ''}${path === '' ? '' : `${path}: `}`;
  return `${place}${message}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}

function wordList(words: readonly string[]): string {
  const more = words.length - SHOWN_WORDS;
  return `${words.slice(0, SHOWN_WORDS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
