import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { readAcceptedDomains } from '../../../src/config/accepted-domains.ts';
import type { OutputStore } from '../../../src/core/delivery.ts';
import { rescan } from '../../../src/runtime/rescan/rescan.ts';

const EXPORTS = 'examples/contoso/exports';
const NOW_MS = Date.UTC(2026, 6, 1);
const files = readdirSync(EXPORTS)
  .sort()
  .map((name) => path.join(EXPORTS, name));
const { domains: acceptedDomains } = await readAcceptedDomains('examples/contoso/accepted-domains.csv', async (file) =>
  readFileSync(file),
);
const profile = {
  settings: { key: 'contoso', acceptedDomains, licenses: null, timeZone: 'UTC' },
  organizations: [],
  evidenceRows: 10,
};

function run(outputs: OutputStore, paths = files, more: { dryRun?: boolean; toMs?: number } = {}) {
  return rescan({ profile, paths, outputs, fromMs: 0, toMs: null, dryRun: false, nowMs: NOW_MS, ...more });
}

function stored(outputs: MemoryOutputStore) {
  return [...outputs.documents.of('incident').values()] as {
    event: { id: string };
    relaywatch: { incident: { state: string }; revision: number; triage?: unknown; generation: number };
  }[];
}

function alertKinds(outputs: MemoryOutputStore): string[] {
  return [...outputs.documents.of('alert').values()].map(
    ({ relaywatch }) => (relaywatch as { alert: { kind: string } }).alert.kind,
  );
}

describe('a rescan', () => {
  it('writes what the archive holds, once', async () => {
    const outputs = new MemoryOutputStore();
    const dry = await run(outputs, files, { dryRun: true });
    expect(dry.changes.map(({ kind }) => kind)).toEqual(['new']);
    expect(stored(outputs)).toEqual([]);
    expect((await run(outputs)).changes).toEqual(dry.changes);
    expect(alertKinds(outputs)).toContain('opened');
    const again = await run(outputs);
    expect(again.changes).toEqual([]);
    expect(again.unchanged).toBe(1);
    expect(stored(outputs)[0].relaywatch.revision).toBe(1);
  });

  it('adopts the id of what it finds again, keeps the analyst and the generation, and retracts what is gone', async () => {
    const outputs = new MemoryOutputStore();
    await run(outputs);
    const [incident] = stored(outputs);
    // As a detector may have published it, under an id that later rows would make another, and looked at since.
    const published = structuredClone(incident);
    published.event.id = 'rw-published';
    published.relaywatch.generation = 7;
    published.relaywatch.triage = { verdict: 'abuse' };
    outputs.documents.of('incident').clear();
    outputs.documents.of('incident').set('rw-published', published as never);
    const found = await run(outputs);
    expect(found.changes).toEqual([]);
    expect(found.unchanged).toBe(1);

    const gone = await run(outputs, files.slice(0, -1));
    expect(gone.changes).toMatchObject([{ kind: 'gone', id: 'rw-published', mergedInto: null }]);
    const [retracted] = stored(outputs);
    expect(retracted.relaywatch).toMatchObject({ triage: { verdict: 'abuse' }, generation: 7 });
    expect(retracted.relaywatch.incident.state).toBe('retracted');
    expect(alertKinds(outputs)).toContain('retracted');
  });

  it('looks at incidents of the time it is asked for alone', async () => {
    const outputs = new MemoryOutputStore();
    await run(outputs);
    const before = await run(outputs, files.slice(0, -1), { toMs: Date.UTC(2026, 4, 20) });
    expect(before).toMatchObject({ changes: [], unchanged: 0 });
  });
});
