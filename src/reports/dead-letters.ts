/** Dead letters for people: how many of which code, and single ones with their original bytes. */

import { DEAD_LETTERS, type DeadLetterCode } from '../core/outcome.ts';
import { counted, displayWidth, formatCount, terminalSafe, truncate } from './text.ts';

export interface LetterSummary {
  id: string;
  code: DeadLetterCode;
  reason: string;
  tenant: string;
  file: string;
  line: number;
}

export interface LetterCounts {
  total: number;
  files: number;
  codes: { code: DeadLetterCode; count: number }[];
  /** The first ones, in the order in which they were found. */
  first: LetterSummary[];
}

export interface LetterDetail extends LetterSummary {
  sha256: string;
  offset: number;
  length: number;
  encoding: string;
  /** The original as text. */
  original: string;
  isCut: boolean;
}

const REASON_COLUMNS = 80;
const PLACE_COLUMNS = 50;
const ORIGINAL_CHARACTERS = 20_000;

export function letterList({ total, files, codes, first }: LetterCounts): string {
  if (total === 0) return 'no dead letters\n';
  const rows = codes.map(({ code, count }) => [formatCount(count), code, plain(DEAD_LETTERS[code].action)]);
  const letters = first.map(({ id, code, file, line, reason }) => [
    truncate(terminalSafe(id), PLACE_COLUMNS),
    code,
    `${truncate(terminalSafe(file), PLACE_COLUMNS)}:${line}`,
    truncate(terminalSafe(reason), REASON_COLUMNS),
  ]);
  const rest = total - first.length;
  return (
    `${counted(total, 'dead letter')} from ${counted(files, 'file')}\n\n` +
    table(['rows', 'code', 'what to do'], rows) +
    `\n${table(['id', 'code', 'place', 'reason'], letters)}` +
    (rest > 0 ? `and ${formatCount(rest)} more: --output ndjson lists all\n` : '')
  );
}

export function letterDetail(letter: LetterDetail): string {
  const guide = DEAD_LETTERS[letter.code];
  const facts: [string, string][] = [
    ['id', letter.id],
    ['code', `${letter.code}: ${plain(guide.meaning)}`],
    ['reason', letter.reason],
    ['what to do', plain(guide.action)],
    ['file', `${letter.file}, line ${letter.line}, byte ${letter.offset}, ${counted(letter.length, 'byte')}`],
  ];
  if (letter.sha256 !== '') facts.push(['sha256', letter.sha256]);
  if (letter.tenant !== '') facts.push(['tenant', letter.tenant]);
  if (letter.encoding !== '') facts.push(['encoding', letter.encoding]);
  const original = letter.original.slice(0, ORIGINAL_CHARACTERS);
  const isCut = letter.isCut || original.length < letter.original.length;
  return (
    facts.map(([name, text]) => `${name.padEnd(11)} ${terminalSafe(text)}\n`).join('') +
    `original${isCut ? ', its beginning' : ''}:\n${original
      .split('\n')
      .map((line) => `  ${terminalSafe(line.replace(/\r$/, ''))}\n`)
      .join('')}`
  );
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => displayWidth(row[column]))));
  return [header, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell + ' '.repeat(widths[i] - displayWidth(cell)))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Without the marks of Markdown. */
function plain(text: string): string {
  return text.replaceAll('`', '');
}
