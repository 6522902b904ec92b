import { describe, expect, it } from 'vitest';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const fixtures = fixturesIn('graph-message-trace');

/** Pairs of a fixture without their places. */
async function pairs(name: string): Promise<object[]> {
  const reading = await readAll(inputOptions([`${FIXTURES}/${name}`]));
  return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
}

describe('message traces of Microsoft Graph', () => {
  it.each(fixtures)('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('give the same pairs as pages, elements and CSV', async () => {
    const elements = await pairs('graph-message-trace/elements.ndjson');
    expect(elements).toHaveLength(6);
    expect(await pairs('graph-message-trace/pages.json')).toEqual(elements);
    expect(await pairs('graph-message-trace/powershell-sdk.csv')).toEqual(elements);
    expect(await pairs('graph-message-trace/page.json')).toEqual(elements.slice(4));
  });
});
