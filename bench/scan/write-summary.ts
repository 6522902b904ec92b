/** `node bench/scan/write-summary.ts FILE [ROWS]`: the large Enhanced summary of the benchmark, 2,000,000 rows by default. */

import { writeSummaryFile } from './summary-file.ts';

const [path, rows] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('usage: node bench/scan/write-summary.ts FILE [ROWS]\n');
  process.exit(2);
}
const facts = writeSummaryFile(path, Number(rows ?? 2_000_000));
const percent = (count: number): string => `${((100 * count) / facts.rows).toFixed(1)} %`;
process.stderr.write(
  `${facts.rows} rows, ${facts.pairs} pairs, ${facts.bytes} bytes (${(facts.bytes / facts.rows).toFixed(0)} a row), ` +
    `subjects quoted ${percent(facts.quotedSubjects)}, folded ${percent(facts.foldedSubjects)}, ` +
    `beyond ASCII ${percent(facts.beyondAscii)}\n`,
);
