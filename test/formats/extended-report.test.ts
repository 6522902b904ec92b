import { describe, expect, it } from 'vitest';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

describe('Extended report', () => {
  it.each(fixturesIn('extended-report'))('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('gives the same pairs whatever its encoding', async () => {
    const pairs = async (name: string) => {
      const reading = await readAll(inputOptions([`${FIXTURES}/extended-report/${name}`]));
      return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
    };
    const utf16 = await pairs('utf16-no-bom.csv');
    expect(utf16.length).toBeGreaterThan(10);
    expect(await pairs('quoted-header.csv')).toEqual(utf16);
  });
});
