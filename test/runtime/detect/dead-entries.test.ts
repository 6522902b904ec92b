/** Entries of the log that are no envelopes of ours: kept as they were before anything passes them. */

import { expect, test } from 'vitest';
import { createMemoryCheckpoints } from '../../../src/adapters/memory/checkpoints.ts';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import type { DeadEntry } from '../../../src/core/dead-entries.ts';
import type { Envelope } from '../../../src/core/envelope.ts';
import type { LogEntry } from '../../../src/core/envelope-log.ts';
import { DetectWorker } from '../../../src/runtime/detect/detect-worker.ts';

const layout = {
  format: 'message-trace',
  encoding: 'utf-8',
  shape: 'csv',
  delimiter: 44,
  columns: ['Received', 'SenderAddress', 'RecipientAddress', 'Status', 'MessageTraceId'],
  dateOrder: null,
} as const;

function envelope(tenant: string, format: string = layout.format): Envelope {
  const payload = Buffer.from('2026-05-11T10:00:00Z,a@contoso.example,b@fabrikam.example,Delivered,1b2c\n');
  const file = { id: 'ab'.repeat(32), name: 'trace.csv' };
  return {
    header: { kind: 'rows', schema: 1, tenant, file, layout: { ...layout, format }, offset: 0, line: 1, records: 1 },
    payload,
  };
}

function setUp() {
  const checkpoints = createMemoryCheckpoints();
  const outputs = new MemoryOutputStore();
  const sent: DeadEntry[] = [];
  /** What happens instead of sending. */
  const trouble: { error: Error | null; wait: Promise<void> | null } = { error: null, wait: null };
  const settings = { key: 'contoso', acceptedDomains: [], licenses: null, timeZone: 'UTC' };
  const worker = () =>
    new DetectWorker({
      pipeline: 'detect',
      profiles: new Map([['contoso', { settings, organizations: [], evidenceRows: 10 }]]),
      checkpoints,
      outputs,
      now: () => Date.UTC(2026, 4, 12),
      onLate: async () => {},
      deadEntries: {
        async send(entries) {
          await trouble.wait;
          if (trouble.error !== null) throw trouble.error;
          sent.push(...entries);
        },
      },
    });
  const saved = async (generation: number) => {
    const stored = await checkpoints.claim('detect/0', generation);
    return stored === null ? null : (JSON.parse(Buffer.from(stored.bytes).toString()) as { nextOffset: number });
  };
  return { worker, outputs, sent, trouble, saved };
}

const entry = (offset: number, what: Envelope | null): LogEntry => ({
  offset,
  appendedMs: Date.UTC(2026, 4, 12),
  envelope: what,
  problem: what === null ? 'its checksum is wrong' : null,
  bytes: Buffer.from([offset]),
});

const ENTRIES = [
  entry(0, envelope('contoso')),
  entry(1, null),
  entry(2, envelope('unknown')),
  entry(3, envelope('contoso', 'of-tomorrow')),
];

test('they are sent with code and reason, each once, before the checkpoint', async () => {
  const { worker, outputs, sent, trouble, saved } = setUp();
  const first = worker();
  await first.assigned(0, 1);
  const held = Promise.withResolvers<void>();
  trouble.wait = held.promise;
  const done = first.entries(0, 1, ENTRIES, 4);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([outputs.documents.of('dead_letter').size, await saved(1)]).toEqual([0, null]);
  held.resolve();
  expect(await done).toBe(4);
  expect(sent.map(({ partition, code, entry: { offset } }) => [partition, offset, code])).toEqual([
    [0, 1, 'bad_envelope'],
    [0, 2, 'unknown_tenant'],
    [0, 3, 'bad_envelope'],
  ]);
  expect(sent[0].reason).toBe('its checksum is wrong');
  expect(outputs.documents.of('dead_letter').size).toBe(3);
  // Replayed for the rows of open days: they were sent.
  const second = worker();
  expect(await second.assigned(0, 2)).toBe(0);
  await second.entries(0, 2, ENTRIES, 4);
  expect(sent).toHaveLength(3);
});

test('a write that fails is passed by nothing', async () => {
  const { worker, outputs, sent, trouble, saved } = setUp();
  const first = worker();
  await first.assigned(0, 1);
  trouble.error = new Error('the topic is not there');
  await expect(first.entries(0, 1, ENTRIES, 4)).rejects.toThrow('the topic is not there');
  await first.revoked(0);
  expect(await saved(1)).toBeNull();
  expect(outputs.documents.of('ledger').size).toBe(0);
  trouble.error = null;
  const second = worker();
  expect(await second.assigned(0, 2)).toBeNull();
  expect(await second.entries(0, 2, ENTRIES, 4)).toBe(4);
  expect(sent).toHaveLength(3);
  expect((await saved(3))?.nextOffset).toBe(4);
});
