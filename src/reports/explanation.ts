/** `convert --explain` as text: what a file was taken for, from what evidence, and what becomes of its columns. */

import { DEAD_LETTERS, type DeadLetterCode } from '../core/outcome.ts';
import { counted, formatCount, terminalSafe, truncate } from './text.ts';

export interface FileExplanation {
  path: string;
  refused: string | null;
  /** Facts in the order in which they are shown: each a name and a sentence. */
  facts: [name: string, text: string][];
  /** Columns that are used: what for, and their names in the file. */
  used: [meaning: string, column: string][];
  unused: string[];
  deadLetters: { code: DeadLetterCode; count: number; line: number; reason: string }[];
  warnings: string[];
}

const INDENT = '  ';
const NAME_COLUMNS = 12;
const MEANING_COLUMNS = 20;
const TEXT_COLUMNS = 100;
const UNUSED_SHOWN = 40;
const COLUMN_NAME_COLUMNS = 60;

/** The file's name, and below it a line for each fact. */
export function explanationText(file: FileExplanation): string {
  const lines = [terminalSafe(file.path)];
  if (file.refused !== null) lines.push(...entry('refused', file.refused));
  for (const [name, text] of file.facts) lines.push(...entry(name, text));
  for (const [index, [meaning, column]] of file.used.entries()) {
    const shown = truncate(terminalSafe(column), COLUMN_NAME_COLUMNS);
    lines.push(...entry(index === 0 ? 'columns' : '', `${meaning.padEnd(MEANING_COLUMNS)} ${shown}`));
  }
  if (file.unused.length > 0) lines.push(...entry('not used', unusedColumns(file.unused)));
  for (const { code, count, line, reason } of file.deadLetters) {
    const first = `${count === 1 ? '' : 'first '}in line ${formatCount(line)}: ${reason}`;
    lines.push(
      ...entry(
        'unreadable',
        `${counted(count, 'row')}, ${code}, ${first}. ${DEAD_LETTERS[code].action.replaceAll('`', '')}`,
      ),
    );
  }
  for (const warning of file.warnings) lines.push(...entry('warning', warning));
  return `${lines.join('\n')}\n`;
}

function unusedColumns(names: readonly string[]): string {
  const shown = names.slice(0, UNUSED_SHOWN).map((name) => truncate(name, COLUMN_NAME_COLUMNS));
  if (names.length > shown.length) shown.push(`and ${formatCount(names.length - shown.length)} more`);
  return shown.join(', ');
}

/** A name and a text behind it, which goes on below itself. */
function entry(name: string, text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of terminalSafe(text).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > TEXT_COLUMNS - NAME_COLUMNS) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' && lines.length === 0 && word === '' ? '' : line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((part, i) => `${INDENT}${(i === 0 ? name : '').padEnd(NAME_COLUMNS)}${part}`.trimEnd());
}
