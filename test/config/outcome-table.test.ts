import { expect, test } from 'vitest';
import { deadLetterTable, dropTable, refusalTable } from '../../src/config/outcome-table.ts';
import { DEAD_LETTER_CODES, DROP_REASONS, REFUSAL_CODES } from '../../src/core/outcome.ts';

test.each([
  ['dead letters', deadLetterTable(), DEAD_LETTER_CODES],
  ['refusals', refusalTable(), REFUSAL_CODES],
  ['drops', dropTable(), DROP_REASONS],
])('%s: a row for each code, in order, each cell a sentence', (_, text, codes) => {
  const [header, rule, ...rows] = text.trimEnd().split('\n');
  expect(header).toBe('| Code | Meaning | What to do |');
  expect(rule).toBe('| --- | --- | --- |');
  expect(codes.length).toBeGreaterThan(1);
  expect(rows.map((row) => row.split(' | ')[0].slice(3, -1))).toEqual(codes);
  for (const row of rows) expect(row).toMatch(/^\| `[a-z_]+` \| [A-Z].*\. \| [A-Z].*\. \|$/);
});
