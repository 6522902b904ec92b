import { describe, expect, it } from 'vitest';
import { traceFormats } from '../../src/config/registry.ts';
import { canonicalColumn, recogniseFormat } from '../../src/formats/format.ts';
import { expectGolden, FIXTURES, fixturesIn, inputOptions, readAll } from './golden.ts';

const fixtures = fixturesIn('email-events');

describe('EmailEvents', () => {
  it.each(fixtures)('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('give the same pairs in the stream, in storage and in Advanced Hunting', async () => {
    const pairs = async (name: string) => {
      const reading = await readAll(inputOptions([`${FIXTURES}/email-events/${name}`]));
      return reading.pairs.map((pair) => ({ ...JSON.parse(pair), offset: 0, length: 0 }));
    };
    const stream = await pairs('stream.json');
    expect(stream).toHaveLength(12);
    expect(await pairs('storage.ndjson')).toEqual(stream);
    expect(await pairs('advanced-hunting.csv')).toEqual(stream);
    expect(await pairs('advanced-hunting.json')).toEqual(stream.slice(0, 4));
    expect(await pairs('sentinel.json')).toEqual(stream.slice(0, 3));
  });

  it('are told by their columns, whatever the stream calls them', () => {
    const header = (names: string) => names.split(',').map(canonicalColumn);
    const events = 'Timestamp,NetworkMessageId,SenderMailFromAddress,RecipientEmailAddress,EmailDirection';
    expect(recogniseFormat(traceFormats, header(events))?.format.id).toBe('email-events');
    // Records of devices have been seen under the category of EmailEvents.
    const devices = 'time,tenantId,category,Timestamp,DeviceId,DeviceName,ReportId';
    expect(recogniseFormat(traceFormats, header(devices))).toBeNull();
  });
});
