import { describe, expect, it } from 'vitest';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const FOLDER = `${FIXTURES}/tracking-log`;

async function rowsOf(names: string[]): Promise<Record<string, unknown>[]> {
  const reading = await readAll(inputOptions(names.map((name) => `${FOLDER}/${name}`)));
  return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
}

describe('message tracking logs of Exchange Server', () => {
  it.each(fixturesIn('tracking-log'))('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('give the same rows with their header, without it, and where it stands twice', async () => {
    const rows = await rowsOf(['MSGTRK-2016.LOG']);
    expect(await rowsOf(['without-header-30.log'])).toEqual(rows);
    expect(await rowsOf(['restarted.log'])).toEqual(rows);
    expect(await rowsOf(['MSGTRK-2013.LOG'])).toEqual(rows);
    expect(await rowsOf(['without-header-21.log'])).toEqual(await rowsOf(['MSGTRK-2007.LOG']));
  });

  it('are one log in the files of three services: a pair counts once', async () => {
    const names = ['MSGTRK-2016.LOG', 'MSGTRKMD-2016.LOG', 'MSGTRKMS-2016.LOG'];
    for (const order of [names, [...names].reverse()]) {
      const rows = await rowsOf(order);
      const ida = rows.filter((row) => row.recipient === 'ida@contoso.com');
      expect(ida.length).toBe(4);
      expect(new Set(ida.map((row) => `${row.message_trace_id} ${row.sender}`)).size).toBe(1);
      expect(new Set(rows.map((row) => `${row.message_trace_id} ${row.recipient}`)).size).toBe(6);
    }
  });
});
