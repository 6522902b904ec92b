import { expect, test } from 'vitest';
import { FieldWriter } from '../../src/readers/field-writer.ts';

test('named values become the fields of the columns, whatever their order', () => {
  const fields = new FieldWriter({ columns: ['a', 'b', 'a'], canonicalColumn: (name) => name.toLowerCase() });
  const record = (...values: [string, string][]): string[] => {
    for (const [name, text] of values) {
      const column = fields.columnOf(name);
      if (column >= 0 && fields.isEmpty(column)) fields.set(column, text);
    }
    const view = fields.write(7, 8, 9);
    expect([view.offset, view.length, view.line]).toEqual([7, 8, 9]);
    return Array.from({ length: view.count }, (_, field) =>
      Buffer.from(view.bytes.subarray(view.starts[field], view.ends[field])).toString(),
    );
  };
  expect(record(['B', 'ä🎉'], ['x', 'no'], ['A', ''], ['a', '1'], ['A', '2'])).toEqual(['1', 'ä🎉', '']);
  expect(record()).toEqual(['', '', '']);
  expect(record(['b', '漢'.repeat(5_000)])).toEqual(['', '漢'.repeat(5_000), '']);
  for (let i = 0; i < 5_000; i++) expect(fields.columnOf(`other ${i}`)).toBe(-1);
  expect(fields.columnOf('B')).toBe(1);
});
