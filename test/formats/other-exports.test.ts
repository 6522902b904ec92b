import { describe, expect, it } from 'vitest';
import { traceFormats } from '../../src/config/registry.ts';
import { canonicalColumn, recogniseFormat } from '../../src/formats/format.ts';
import { otherExports } from '../../src/formats/other-exports.ts';
import { FIXTURES, inputOptions, readAll } from './golden.ts';

describe('exports that are no message traces', () => {
  it('are told by canonical names, and match no format', () => {
    for (const { columns, title } of otherExports) {
      for (const name of columns) expect(canonicalColumn(name)).toBe(name);
      expect(recogniseFormat(traceFormats, columns), title).toBeNull();
    }
  });

  it.each([
    ['format-table.csv', 'formatted output'],
    ['accepted-domains.csv', 'pass it with --accepted-domains'],
  ])('%s is named', async (name, expected) => {
    const { ledger } = await readAll(inputOptions([`${FIXTURES}/refused/${name}`]));
    expect(ledger[0].refused).toMatchObject({ code: 'unknown_format', message: expect.stringContaining(expected) });
  });
});
