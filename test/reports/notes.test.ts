import { describe, expect, it } from 'vitest';
import { emptyRowCounts, type FileLedger, type Ledger } from '../../src/core/ledger.ts';
import { errorText, notes, refusedFiles } from '../../src/reports/notes.ts';

function file(path: string, fields: Partial<FileLedger> = {}): FileLedger {
  return {
    path,
    sha256: null,
    bytes: 0,
    format: null,
    encoding: null,
    delimiter: null,
    date_order: null,
    records: 0,
    rows: emptyRowCounts(),
    first: null,
    last: null,
    refused: null,
    warnings: [],
    ...fields,
  };
}

function ledger(files: FileLedger[], rows = emptyRowCounts()): Ledger {
  const refused = files.filter((one) => one.refused !== null).length;
  return { files, totals: { files: files.length, refused, records: 0, rows } };
}

const text = (fields: Partial<Parameters<typeof notes>[0]> = {}) =>
  notes({
    warnings: [],
    inferred: null,
    exportCommand: 'Get-AcceptedDomain',
    command: 'scan',
    ledger: ledger([]),
    ledgerFile: null,
    ...fields,
  });

it('an error says what happened and what to do, without control characters', () => {
  expect(errorText('x\u001b[2J.csv does not exist\nreally', 'Check the path.\nOr not.')).toBe(
    'relaywatch: x␛[2J.csv does not exist␊really.\nCheck the path.\nOr not.\n',
  );
});

describe('notes', () => {
  it('say what became of the rows', () => {
    const rows = {
      read: 110,
      accepted: 90,
      duplicate: 10,
      updated: 2,
      folded: 0,
      dropped: { out_of_range: 5 },
      dead_lettered: { bad_time: 2, cut_record: 1 },
    };
    expect(text({ ledger: ledger([file('a.csv'), file('b.csv')], rows) })).toBe(
      '2 files, 110 rows: 90 new, 2 with a new status, 10 known, 5 left out (out of range 5), 3 unreadable (bad time 2, cut record 1); --dead-letters FILE keeps them\n',
    );
    expect(text({ ledger: ledger([file('a.csv')], rows), ledgerFile: 'l.json' })).not.toContain('--ledger');
  });

  it('name the inferred domains and how to get the real list', () => {
    const domains = [{ name: 'contoso.com', matchSubDomains: false }];
    const read = ledger([file('a.csv')], { ...emptyRowCounts(), read: 1, accepted: 1 });
    const note = text({ ledger: read, inferred: { domains, from: 'senders of 12 messages' } });
    expect(note).toContain('Taken as registered, from senders of 12 messages:\n  contoso.com\n');
    expect(note).toContain('Get-AcceptedDomain');
    expect(note).toContain('--accepted-domains accepted-domains.csv');
    expect(text({ ledger: read, inferred: { domains: [], from: '' } })).toContain('none could be told');
    // Where there is nothing to judge, nothing is said about how it was judged.
    expect(text({ inferred: { domains, from: '' } })).not.toContain('--accepted-domains');
  });

  it('name the warnings of files, shortened where there are many', () => {
    const files = Array.from({ length: 30 }, (_, i) => file(`${i}.csv`, { warnings: ['no rows'] }));
    const note = text({ warnings: ['first\u0007'], ledger: ledger(files) });
    expect(note).toMatch(/^warning: first␇\nwarning: 0\.csv: no rows\n/);
    expect(note).toContain('and 11 more warnings; --ledger FILE names all');
  });
});

it('refused files are named with the reason', () => {
  const refused = { code: 'binary', message: 'it is no text' } as const;
  expect(refusedFiles(ledger([file('a\u202e.xlsx', { refused }), file('b.csv')]))).toBe(
    'relaywatch: refused a<U+202E>.xlsx: it is no text\n',
  );
  expect(refusedFiles(ledger([file('b.csv')]))).toBe('');
});

it('labels are told with how many of their incidents are there', () => {
  expect(text({ labels: { given: 0, found: 0 } })).toBe('');
  expect(text({ labels: { given: 2, found: 2 } })).toBe('labels: 2 of 2 incidents found\n');
  expect(text({ labels: { given: 1, found: 0 } })).toBe(
    'labels: 0 of 1 incident found; the others are not in these rows (ids depend on --tenant and on the rows)\n',
  );
});

describe('what the allow-list has hidden', () => {
  const hidden = { name: 'billing.example + 192.0.2.0/24', owner: 'finance@contoso.com', recipients: 1, shown: 0 };

  it('is told for each entry that hid something, with its owner', () => {
    const none = { ...hidden, name: 'unused.example', recipients: 0 };
    expect(text({ hidden: [{ ...hidden, recipients: 12_345 }, none, hidden] })).toBe(
      'allow-list: 12,345 recipients of billing.example + 192.0.2.0/24 left out of detection (finance@contoso.com)\n' +
        'allow-list: 1 recipient of billing.example + 192.0.2.0/24 left out of detection (finance@contoso.com)\n',
    );
  });

  it('is told with what was not hidden, and why', () => {
    expect(text({ hidden: [{ ...hidden, shown: 1_400 }] })).toMatch(
      /\(finance@contoso\.com\); 1,400 more counted, as too many, refused, or through a new way in\n$/,
    );
  });

  it('is shortened where there is much, and harmless to a terminal', () => {
    const lines = text({ hidden: Array(30).fill({ ...hidden, name: '\u001b[2J', owner: 'a\nb' }) }).split('\n');
    expect(lines).toHaveLength(22);
    expect(lines[20]).toBe('and 10 more entries of it');
    expect(lines.join('')).not.toContain('\u001b');
  });
});
