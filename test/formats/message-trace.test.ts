import { describe, expect, it } from 'vitest';
import { messageTrace } from '../../src/formats/message-trace.ts';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const fixtures = fixturesIn('message-trace');

describe('Get-MessageTrace and Get-MessageTraceV2', () => {
  it.each(fixtures)('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('has fixtures of each shape', () => {
    expect(fixtures.filter((name) => name.endsWith('.csv')).length).toBeGreaterThan(15);
    expect(fixtures.filter((name) => /json$/.test(name)).length).toBeGreaterThan(3);
  });

  it.each([
    ['entities.xml', 'DOCTYPE'],
    ['external-entity.xml', 'DOCTYPE'],
    ['clixml.xml', 'Export-Clixml: export again with Export-Csv'],
    ['page.xml', 'XML without records of a message trace; it begins with <html>'],
  ])('refuses %s', async (name, expected) => {
    const { ledger, pairs } = await readAll(inputOptions([`${FIXTURES}/refused/${name}`]));
    expect(pairs).toEqual([]);
    expect(ledger[0].refused).toMatchObject({ code: 'unknown_format', message: expect.stringContaining(expected) });
  });

  it('takes the documented column where a header has two for a role', async () => {
    expect(messageTrace.columns.sender?.[0]).toBe('senderaddress');
    const reading = await readAll(inputOptions([`${FIXTURES}/message-trace/remote-session.csv`]));
    expect(reading.pairs[0]).toContain('"sender":"promo@fabrikam.example"');
    expect(reading.organizations).toEqual({ ids: [], names: ['contoso.onmicrosoft.com'] });
  });
});
