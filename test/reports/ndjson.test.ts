import { expect, it } from 'vitest';
import { emptyRowCounts, type FileLedger } from '../../src/core/ledger.ts';
import { evidenceNdjson, incidentsNdjson, ledgerJson } from '../../src/reports/ndjson.ts';
import { relayIncident } from './incidents.ts';

it('incidents are a line each, and parse to what they were', () => {
  const incidents = [relayIncident(), relayIncident({ type: 'unknown' })];
  const text = incidentsNdjson(incidents);
  expect(text.endsWith('\n')).toBe(true);
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(incidents);
  expect(incidentsNdjson([])).toBe('');
});

it('what a terminal would act on stands as an escape', () => {
  const subject = 'a\u001b[31m\u009b\u202e\u200b\u2028\ufeff\ud83d\n"\\é漢';
  const incident = relayIncident();
  incident.relaywatch.incident.evidence[0].subject = subject;
  const text = incidentsNdjson([incident]);
  expect(text.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
  expect(JSON.parse(text).relaywatch.incident.evidence[0].subject).toBe(subject);
});

it('evidence names the file, not its number', () => {
  const file = { path: 'b.csv', sha256: 'ff' } as FileLedger;
  const pointer = { incident: 'rw-1', message_trace_id: 'id', recipient: 'a@b.example', file: 1, offset: 5, length: 9 };
  expect(evidenceNdjson([pointer], [{ path: 'a.csv' } as FileLedger, file])).toBe(
    '{"incident":"rw-1","message_trace_id":"id","recipient":"a@b.example","file":"b.csv","sha256":"ff","offset":5,"length":9}\n',
  );
});

it('the ledger is one JSON document', () => {
  const ledger = { files: [], totals: { files: 0, refused: 0, records: 0, rows: emptyRowCounts() } };
  expect(JSON.parse(ledgerJson(ledger))).toEqual(ledger);
});
