/** The tables of codes in the README, as Markdown: a test compares the two. */

import { DEAD_LETTERS, DROPS, type OutcomeGuide, REFUSALS } from '../core/outcome.ts';

/** Codes of rows that could not be used. */
export function deadLetterTable(): string {
  return table(DEAD_LETTERS);
}

/** Codes of files that were refused whole. */
export function refusalTable(): string {
  return table(REFUSALS);
}

/** Reasons of rows that were left out on purpose. */
export function dropTable(): string {
  return table(DROPS);
}

function table(guides: Readonly<Record<string, OutcomeGuide>>): string {
  const rows = Object.entries(guides).map(([code, { meaning, action }]) => [`\`${code}\``, meaning, action]);
  const header = ['Code', 'Meaning', 'What to do'];
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('');
}
