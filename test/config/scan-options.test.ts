import { describe, expect, it } from 'vitest';
import { helpText } from '../../src/config/help.ts';
import { nearestName } from '../../src/config/nearest-name.ts';
import {
  DEFAULT_EVIDENCE_ROWS,
  DEFAULT_MEMORY_MIB,
  FORMAT_IDS,
  optionName,
  type RawScanOptions,
  SCAN_OPTIONS,
} from '../../src/config/options.ts';
import { traceFormats } from '../../src/config/registry.ts';
import { resolveScanOptions } from '../../src/config/scan-options.ts';
import { RelaywatchError } from '../../src/core/outcome.ts';

const nowMs = Date.UTC(2026, 9, 1);
const resolve = (raw: RawScanOptions, paths: string[] = ['trace.csv']) =>
  resolveScanOptions(paths, raw, { nowMs, readFile: async () => null });

async function refusal(raw: RawScanOptions, paths?: string[]): Promise<RelaywatchError> {
  const error = await resolve(raw, paths).then(
    () => null,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(RelaywatchError);
  expect((error as RelaywatchError).exitCode).toBe(2);
  return error as RelaywatchError;
}

describe('options of scan', () => {
  it('have defaults that depend on nothing but the paths', async () => {
    expect(await resolve({}, ['a.csv', '-'])).toEqual({
      paths: ['a.csv', '-'],
      tenant: {
        key: 'default',
        acceptedDomains: null,
        licenses: null,
        timeZone: 'UTC',
        feedback: { labels: [], allow: [], connectors: null },
      },
      tenantName: null,
      range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs },
      format: null,
      dateOrder: null,
      reader: 'auto',
      evidenceRows: DEFAULT_EVIDENCE_ROWS,
      memoryMiB: DEFAULT_MEMORY_MIB,
      output: 'table',
      out: null,
      ledger: null,
      deadLetters: null,
      evidenceOut: null,
      failOn: null,
      quiet: false,
      warnings: [],
    });
  });

  it('are taken over', async () => {
    const settings = await resolve({
      acceptedDomains: 'contoso.com',
      tenant: ' contoso ',
      licenses: '100',
      timeZone: 'europe/berlin',
      format: 'enhanced-summary',
      dateOrder: 'dmy',
      reader: 'fast-csv',
      output: 'ndjson',
      out: 'o.ndjson',
      ledger: 'l.json',
      evidenceOut: 'e.ndjson',
      failOn: 'high',
      evidence: '0',
      memory: '256',
      quiet: true,
    });
    expect(settings).toMatchObject({
      tenant: {
        key: 'contoso',
        acceptedDomains: [{ name: 'contoso.com', matchSubDomains: false }],
        licenses: 100,
        timeZone: 'Europe/Berlin',
      },
      tenantName: 'contoso',
      format: 'enhanced-summary',
      dateOrder: 'dmy',
      reader: 'fast-csv',
      output: 'ndjson',
      out: 'o.ndjson',
      ledger: 'l.json',
      evidenceOut: 'e.ndjson',
      failOn: 'high',
      evidenceRows: 0,
      memoryMiB: 256,
      quiet: true,
    });
    expect((await resolve({ out: '-', format: 'auto' })).out).toBe(null);
  });

  it.each([
    ['2026-09-05', '2026-09-05T00:00:00.000Z'],
    ['2026-09-05T18:02:13.490Z', '2026-09-05T18:02:13.490Z'],
    ['2026-09-05T18:02:13.4907658z', '2026-09-05T18:02:13.490Z'],
    ['2026-09-05 18:02Z', '2026-09-05T18:02:00.000Z'],
    ['2026-09-05T18:02:13+02:00', '2026-09-05T16:02:13.000Z'],
    ['2026-09-05T18:02:13.5-09:30', '2026-09-06T03:32:13.500Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ])('take the time %s', async (text, expected) => {
    expect(new Date((await resolve({ since: text })).range.sinceMs!).toISOString()).toBe(expected);
  });

  it.each([
    'yesterday',
    '2026-9-5',
    '05.09.2026',
    '2026-02-29',
    '2026-13-01',
    '2026-09-05T24:00:00Z',
    '2026-09-05T10:60Z',
    '2026-09-05T10:00:00+99:00',
    '0026-01-01',
    '',
  ])('refuse the time %j', async (text) => {
    for (const option of ['since', 'until', 'reportSince'] as const) {
      expect((await refusal({ [option]: text })).message).toContain(`cannot be "${text}"`);
    }
  });

  it('ask for the zone of a time', async () => {
    expect((await refusal({ since: '2026-09-05T10:00:00' })).hint).toBe(
      'The zone is missing: 2026-09-05T10:00:00Z would be UTC.',
    );
  });

  it('refuse a range in which nothing can be', async () => {
    expect((await refusal({ since: '2026-09-05', until: '2026-09-05' })).message).toContain('is not before --until');
    expect((await refusal({ reportSince: '2026-09-06', until: '2026-09-05' })).message).toContain('nothing could be');
    await resolve({ since: '2026-09-05', until: '2026-09-05T00:00:00.001Z' });
  });

  it.each<[RawScanOptions, string, string]>([
    [{ output: 'tabel' }, '--output cannot be "tabel"', 'Did you mean table?'],
    [{ format: 'mesage-trace' }, '--format', 'Did you mean message-trace?'],
    [{ format: 'pst' }, '--format', `It is one of: ${FORMAT_IDS.join(', ')}.`],
    [{ reader: 'fastcsv' }, '--reader', 'Did you mean fast-csv?'],
    [{ dateOrder: 'dym' }, '--date-order', 'Did you mean dmy?'],
    [{ failOn: 'hihg' }, '--fail-on', 'Did you mean high?'],
    [{ timeZone: 'Europe/Berln' }, '--time-zone', 'Did you mean Europe/Berlin?'],
    [{ timeZone: '+02:00' }, '--time-zone', 'IANA'],
    [{ timeZone: '' }, '--time-zone', 'IANA'],
    [{ licenses: '0' }, '--licenses', 'from 1 to'],
    [{ licenses: '1e3' }, '--licenses', 'whole number'],
    [{ evidence: '-1' }, '--evidence', 'from 0 to 1000'],
    [{ evidence: '1001' }, '--evidence', 'from 0 to 1000'],
    [{ memory: '1.5' }, '--memory', 'from 64'],
    [{ memory: '999999999999999999999' }, '--memory', 'from 64'],
    [{ tenant: ' ' }, '--tenant', 'visible'],
    [{ tenant: 'a\u202eb' }, '--tenant', 'visible'],
    [{ out: '' }, '--out', 'name of a file'],
    [{ ledger: '-' }, '--ledger', 'Only the results go to stdout'],
    [{ out: 'trace.csv' }, '--out trace.csv is one of the inputs', 'another file'],
    [{ out: 'x', ledger: 'x' }, '--out and --ledger name the same file', 'two files'],
    [{ acceptedDomains: 'nope.csv' }, 'does not exist', 'Get-AcceptedDomain'],
  ])('refuse %j', async (raw, message, hint) => {
    const error = await refusal(raw);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  it('need a path', async () => {
    expect((await refusal({}, [])).hint).toContain('relaywatch scan trace.csv');
  });
});

describe('the help', () => {
  it('lists every option of scan, and no line is wider than 100 columns but a command', () => {
    const text = helpText('scan')!;
    for (const option of SCAN_OPTIONS) expect(text).toContain(`\n  ${option.flags} `);
    const wide = text.split('\n').filter((line) => line.length > 100);
    expect(wide.every((line) => line.includes('Get-AcceptedDomain'))).toBe(true);
  });

  it('has every option once, each with an example or without a value', () => {
    expect(new Set(SCAN_OPTIONS.map(optionName)).size).toBe(SCAN_OPTIONS.length);
    for (const { flags, example } of SCAN_OPTIONS) expect(example !== undefined).toBe(flags.includes('<'));
  });

  it('gives an overview, and null for what does not exist', () => {
    expect(helpText(undefined)).toContain('scan PATH...');
    expect(helpText('help')).toBe(helpText(undefined));
    expect(helpText('skan')).toBe(null);
  });

  it('names the formats that the registry has', () => {
    expect(FORMAT_IDS).toEqual(['auto', ...traceFormats.map((format) => format.id)]);
  });
});

describe('the nearest name', () => {
  it('is found for slips, and not for other words', () => {
    expect(nearestName('--lisences', ['--licenses', '--ledger'])).toBe('--licenses');
    expect(nearestName('sacn', ['scan', 'help'])).toBe('scan');
    expect(nearestName('SCAN', ['scan', 'help'])).toBe('scan');
    expect(nearestName('export', ['scan', 'help'])).toBe(null);
    expect(nearestName('', ['scan'])).toBe(null);
    expect(nearestName('x'.repeat(1_000_000), ['scan'])).toBe(null);
  });
});
