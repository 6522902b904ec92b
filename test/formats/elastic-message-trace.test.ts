import { describe, expect, it } from 'vitest';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const fixtures = fixturesIn('elastic-message-trace');

/** Pairs of a fixture without their places. */
async function pairs(name: string): Promise<object[]> {
  const reading = await readAll(inputOptions([`${FIXTURES}/${name}`]));
  return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
}

describe("documents of Elastic's message-trace integration", () => {
  it.each(fixtures)('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('give the pairs of the trace that was collected', async () => {
    const trace = await pairs('message-trace/reporting-service-light.json');
    expect(await pairs('elastic-message-trace/elasticdump.ndjson')).toEqual(trace);
    expect(await pairs('elastic-message-trace/search.json')).toEqual(trace);
    expect((await pairs('elastic-message-trace/originals.ndjson')).slice(0, 6)).toEqual(trace);
  });

  it('may be what convert wrote', async () => {
    const trace = await pairs('message-trace/reporting-service-light.json');
    const written = await pairs('elastic-message-trace/converted.ndjson');
    const fields = (pair: object) => {
      const { sender, recipient, status, subject, message_trace_id: id } = pair as Record<string, string>;
      return { sender, recipient, status, subject, id };
    };
    expect(written.map(fields)).toEqual(trace.map(fields));
  });

  it('lose the statuses that ECS has no word for, where ECS is all there is', async () => {
    const trace = await pairs('message-trace/reporting-service-light.json');
    const lost = ['filtered_as_spam', 'getting_status', 'expanded'];
    const expected = trace.map((pair) => {
      const { status } = pair as { status: string };
      return { ...pair, status: lost.includes(status) ? 'unknown' : status };
    });
    expect(await pairs('elastic-message-trace/fields.json')).toEqual(expected);
  });

  it('are refused with the dates of Kibana, whose zone nobody knows', async () => {
    const { ledger } = await readAll(inputOptions([`${FIXTURES}/refused/kibana-dates.csv`]));
    expect(ledger[0].refused).toEqual({
      code: 'mostly_unreadable',
      message: expect.stringContaining('"Sep 5, 2026 @ 18:10:13.490" cannot be read'),
    });
  });
});
