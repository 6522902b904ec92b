import { describe, expect, it } from 'vitest';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const fixtures = fixturesIn('admin-center-summary');

/** Pairs of a fixture without their places. */
async function pairs(name: string): Promise<object[]> {
  const reading = await readAll(inputOptions([`${FIXTURES}/${name}`]));
  return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
}

describe('exported message trace of the admin center', () => {
  it.each(fixtures)('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('gives the same pairs under all names of columns', async () => {
    const results = await pairs('admin-center-summary/export-results.csv');
    expect(results).toHaveLength(6);
    expect(await pairs('admin-center-summary/underscores.csv')).toEqual(results);
  });

  it('is refused where its times are of a zone', async () => {
    const { ledger } = await readAll(inputOptions([`${FIXTURES}/refused/admin-center-zone.csv`]));
    expect(ledger[0].refused).toMatchObject({
      code: 'unknown_format',
      message: expect.stringContaining('"Date (UTC+01:00)" are of a zone: set the time zone to UTC'),
    });
  });

  it('is refused without ids: its rows cannot be told apart', async () => {
    const { ledger } = await readAll(inputOptions([`${FIXTURES}/refused/admin-center-without-ids.csv`]));
    expect(ledger[0].refused).toEqual({
      code: 'unknown_format',
      message: expect.stringMatching(/lacks messagetraceid or messageid/),
    });
  });
});
