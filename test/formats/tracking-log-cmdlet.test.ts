import { describe, expect, it } from 'vitest';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const FOLDER = `${FIXTURES}/tracking-log-cmdlet`;

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  const reading = await readAll(inputOptions([path]));
  return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
}

describe('Get-MessageTrackingLog', () => {
  it.each(fixturesIn('tracking-log-cmdlet'))('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('shows in JSON what the log has', async () => {
    const log = await rowsOf(`${FIXTURES}/tracking-log/MSGTRK-2016.LOG`);
    expect(await rowsOf(`${FOLDER}/powershell-5.json`)).toEqual(log);
    expect(await rowsOf(`${FOLDER}/powershell-7.json`)).toEqual(log);
  });

  it('is refused where its lists were not joined, with the command that joins them', async () => {
    const { ledger } = await readAll(inputOptions([`${FOLDER}/not-joined.csv`]));
    expect(ledger[0].refused).toMatchObject({ code: 'mostly_unreadable' });
    expect(ledger[0].refused?.message).toContain("-join ';'");
  });
});
