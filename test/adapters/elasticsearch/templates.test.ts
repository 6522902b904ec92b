/** The templates fit what is written, and each other. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StoreNames } from '../../../src/adapters/elasticsearch/settings.ts';
import {
  COMPONENT_TEMPLATES,
  fieldsOf,
  INDEX_TEMPLATES,
  isContained,
  mappingsOf,
} from '../../../src/adapters/elasticsearch/templates.ts';
import { emptyRowCounts, type FileLedger } from '../../../src/core/ledger.ts';
import { alertsOf, turnsOf } from '../../../src/core/live/alerts.ts';
import { DEAD_LETTER_CODES, DROP_REASONS } from '../../../src/core/outcome.ts';
import { incidentToStore, replacementToStore } from '../../../src/core/stored-documents.ts';
import { deadLetterWrite } from '../../../src/runtime/detect/dead-letters.ts';
import { gapFinding } from '../../../src/runtime/detect/findings.ts';
import { ROOT } from '../../architecture/repository-files.ts';
import { incidentDocument, incidentWrite } from '../contract/output-store.ts';

type Kind = keyof StoreNames;
const KINDS = Object.keys(INDEX_TEMPLATES) as Kind[];

/** Paths of the values of a document. */
function pathsIn(value: unknown, above = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => pathsIn(one, above));
  if (typeof value !== 'object' || value === null) return [above];
  return Object.entries(value).flatMap(([name, part]) => pathsIn(part, above === '' ? name : `${above}.${name}`));
}

function unmapped(kind: Kind, document: unknown): string[] {
  const fields = new Set(fieldsOf(mappingsOf(kind)));
  return pathsIn(document).filter((found) => !fields.has(found));
}

describe('the mappings have every field', () => {
  test('of incidents, with what the store and people add', () => {
    const write = incidentWrite('rw-1', { mergedInto: 'rw-2' });
    const stored = incidentToStore(write, null, 0) as { relaywatch: object };
    const triage = { verdict: 'benign', owner: 'ann', note: 'newsletter' };
    expect(unmapped('incident', { ...stored, relaywatch: { ...stored.relaywatch, triage } })).toEqual([]);
  });

  test('of alerts', () => {
    const document = incidentDocument('rw-1');
    document.relaywatch.incident.state = 'closed';
    const alerts = alertsOf(document, turnsOf(document, 1), 0);
    expect(alerts.length).toBeGreaterThan(1);
    const ingested = { event: { ingested: '2026-01-01T00:00:00.000Z' } };
    for (const alert of [...alerts.map((one) => one.document), ingested]) expect(unmapped('alert', alert)).toEqual([]);
  });

  test('of the ledger, with every reason', () => {
    const rows = emptyRowCounts();
    for (const reason of DROP_REASONS) rows.dropped[reason] = 1;
    for (const code of DEAD_LETTER_CODES) rows.dead_lettered[code] = 1;
    const file: FileLedger = {
      path: 'a.csv',
      sha256: 'ab',
      bytes: 1,
      format: 'x',
      encoding: 'utf-8',
      delimiter: ',',
      date_order: 'mdy',
      records: 1,
      rows,
      first: '2026-01-01T00:00:00.000Z',
      last: '2026-01-01T00:00:00.000Z',
      refused: { code: 'binary', message: 'x' },
      warnings: ['x'],
    };
    const relaywatch = { tenant: 'contoso', ledger: { ...file, is_complete: true } };
    const event = { kind: 'metric', module: 'relaywatch', dataset: 'relaywatch.ledger' };
    const document = { '@timestamp': '2026-01-01T00:00:00.000Z', ecs: { version: '9.4.0' }, event, relaywatch };
    expect(unmapped('ledger', replacementToStore({ kind: 'ledger', id: 'a', sequence: 1, document }))).toEqual([]);
  });

  test('of findings and dead letters', () => {
    expect(
      unmapped(
        'finding',
        replacementToStore(
          gapFinding({ pipeline: 'detect', partition: 0, tenant: 'contoso' }, { expected: 1, found: 2, sinceMs: 0 }, 0),
        ),
      ),
    ).toEqual([]);
    const layout = {
      format: 'x',
      encoding: 'utf-8',
      shape: 'csv',
      delimiter: 44,
      columns: ['a'],
      dateOrder: null,
    } as const;
    const file = { id: 'ab', name: 'a.csv' };
    const header = {
      kind: 'rows',
      schema: 1,
      tenant: 'contoso',
      file,
      layout,
      offset: 0,
      line: 1,
      records: 1,
    } as const;
    const letter = { code: 'bad_time', reason: 'No time.', offset: 0, length: 1, line: 1 } as const;
    expect(unmapped('dead_letter', deadLetterWrite(header, new Uint8Array(1), letter, 0).document)).toEqual([]);
  });
});

describe('the templates', () => {
  test('are all there, and each file is used', () => {
    const files = readdirSync(path.join(ROOT, 'infra/elasticsearch')).filter((name) => name.endsWith('.json'));
    expect(files.length).toBe(Object.keys(COMPONENT_TEMPLATES).length + KINDS.length);
    const used = new Set([...Object.values(COMPONENT_TEMPLATES), ...KINDS.map((kind) => INDEX_TEMPLATES[kind].body)]);
    for (const file of files) {
      const body = JSON.parse(readFileSync(path.join(ROOT, 'infra/elasticsearch', file), 'utf8'));
      expect([...used].filter((one) => isContained(body, one) && isContained(one, body)).length, file).toBe(1);
    }
  });

  test.each(KINDS)(
    'of %s is strict, comes before those of Elasticsearch, and says what mode its indices have',
    (kind) => {
      const { name, body } = INDEX_TEMPLATES[kind];
      expect(mappingsOf(kind).dynamic).toBe('strict');
      expect(body).toMatchObject({ priority: expect.any(Number), _meta: { managed_by: 'relaywatch' } });
      expect((body as unknown as { priority: number }).priority).toBeGreaterThan(200);
      expect(body.index_patterns).toEqual([`${name}-*`]);
      expect(COMPONENT_TEMPLATES['relaywatch@settings'].template.settings).toMatchObject({
        index: { mode: 'standard' },
      });
      const known = body.composed_of.filter((component) => !component.endsWith('@custom'));
      expect(known.filter((component) => COMPONENT_TEMPLATES[component] === undefined)).toEqual([]);
      // What people add comes last, so that it goes first.
      expect(body.composed_of.slice(known.length)).toEqual(['relaywatch@custom', `${name}@custom`]);
    },
  );

  test.each(['alert', 'dead_letter'] as const)('of %s makes data streams that are kept for a while', (kind) => {
    const { body } = INDEX_TEMPLATES[kind];
    expect(body).toMatchObject({
      data_stream: {},
      template: { data_stream_options: { failure_store: { enabled: false } } },
    });
    const lifecycles = body.composed_of.flatMap((name) => COMPONENT_TEMPLATES[name]?.template.lifecycle ?? []);
    expect(lifecycles).toEqual([{ data_retention: expect.stringMatching(/^\d+d$/) }]);
  });
});

describe('a template is the same', () => {
  test.each([
    [{ a: 1 }, { a: '1', b: 2 }, true],
    [{ a: { b: false } }, { a: { b: 'false' } }, true],
    [{ data_stream: {} }, { data_stream: { hidden: false } }, true],
    [{ a: ['x', 'y'] }, { a: ['y', 'x'] }, false],
    [{ a: ['x'] }, { a: ['x', 'y'] }, false],
    [{ a: 1 }, { a: 2 }, false],
    [{ a: 1 }, undefined, false],
    [{ a: {} }, { a: 'x' }, false],
    [{ a: undefined }, {}, true],
  ])('%j in %j: %s', (ours, theirs, same) => {
    expect(isContained(ours, theirs)).toBe(same);
  });
});
