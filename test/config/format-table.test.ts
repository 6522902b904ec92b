import { expect, it } from 'vitest';
import { formatTable } from '../../src/config/format-table.ts';
import { FORMAT_IDS } from '../../src/config/options.ts';
import { traceFormats } from '../../src/config/registry.ts';

it('has a line for every format, with where it comes from, how to get it and what it cannot tell', () => {
  const [header, rule, ...rows] = formatTable().trimEnd().split('\n');
  const cells = (line: string) => line.split(/(?<!\\)\|/).slice(1, -1);
  expect(cells(header)).toHaveLength(6);
  expect(cells(rule)).toEqual(Array.from({ length: 6 }, () => ' --- '));
  expect(rows).toHaveLength(traceFormats.length);
  traceFormats.forEach((format, index) => {
    const row = cells(rows[index]).map((cell) => cell.trim());
    expect(row).toHaveLength(6);
    expect(row[0]).toBe(format.title);
    expect(row[1]).toBe(`\`${format.id}\``);
    for (const cell of row) expect(cell).toMatch(/^[^\r\n]{3,}$/);
    expect(row[4].replaceAll('\\|', '|')).toBe(`\`${format.command}\``);
  });
});

it('names the formats of --format', () => {
  expect([...FORMAT_IDS].sort()).toEqual(['auto', ...traceFormats.map(({ id }) => id)].sort());
});
