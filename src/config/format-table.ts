/** The table of formats in the README, as Markdown, made from the registry. */

import { traceFormats } from './registry.ts';

const HEADER = ['Format', '`--format`', 'Written as', 'Where it comes from', 'How to get it', 'What it cannot tell'];

export function formatTable(): string {
  const rows = traceFormats.map(({ id, title, shapes, source, command, lacks }) => [
    title,
    `\`${id}\``,
    shapes.map((shape) => shape.toUpperCase()).join(', '),
    source,
    `\`${command}\``,
    lacks.join('; '),
  ]);
  return [HEADER, HEADER.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('');
}
