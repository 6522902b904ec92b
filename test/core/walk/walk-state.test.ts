import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectionSettings } from '../../../src/config/detection.ts';
import { hourSlotsOf } from '../../../src/core/calendar.ts';
import { describeIncidents, IncidentDescriber } from '../../../src/core/documents.ts';
import type { AllowEntry, Label } from '../../../src/core/feedback.ts';
import { ChosenTexts } from '../../../src/core/identity.ts';
import type { IncidentDocument } from '../../../src/core/incident-document.ts';
import type { SortedBlock } from '../../../src/core/order.ts';
import { RECORD_DOUBLES, RECORD_WORDS, REFUSAL_UNREGISTERED_BLOCKED } from '../../../src/core/record.ts';
import { Walk } from '../../../src/core/walk/walk.ts';
import {
  ACCEPTED,
  collectRows,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  MONDAY,
  ordinary,
  type Row,
  relay,
  TENANT,
  tenantModelOf,
} from '../pairs.ts';

const SERVER = { fromIp: '192.0.2.25', connector: 'Inbound from DC1' };
const at = (day: number, hour = 10) => MONDAY + day * DAY_MS + hour * HOUR_MS;

/** Mail of a server every half an hour, but not on the night before day 26: then it sends what it kept. */
const server: Row[] = Array.from({ length: 48 * 30 }, (_, index) => MONDAY + index * 30 * MINUTE_MS).map(
  (time, index) => ({
    ...SERVER,
    time: time >= at(25, 22) && time < at(26, 9) ? at(26, 9) + (time - at(25, 22)) / 60 : time,
    sender: `app@shop${index % 3}.example`,
    recipient: `client${index % 40}@clients.example`,
  }),
);

/** A loop, a ramp, a rotation, a newsletter with a benign label, abuse with one, bounces, blocks, mail that is allowed. */
const rows: Row[] = [
  ...ordinary(MONDAY, 30),
  ...server,
  ...relay({ start: at(9), count: 120, everyMs: 20_000 }),
  ...relay({ start: at(22, 0) - 600_000, count: 60, everyMs: 30_000, fromIp: '198.51.100.99' }, () => 'z.example'),
  ...relay({ start: at(18), count: 200, everyMs: 20_000 }, (index) => `d${index % 50}.example`),
  ...[15, 22, 29].flatMap((day) =>
    relay({
      start: at(day),
      count: 150,
      everyMs: 6000,
      fromIp: undefined,
      connector: undefined,
      sender: 'news@contoso.com',
    }),
  ),
  ...relay(
    { start: at(12), count: 56, everyMs: 90 * MINUTE_MS, connector: 'Slow', fromIp: '203.0.113.5' },
    () => 'slow.example',
  ),
  ...relay({ start: at(19), count: 200, everyMs: 20_000, sender: '<>' }),
  ...relay({ start: at(20), count: 40, everyMs: 20_000, sender: 'ads@allowed.example', ...SERVER }),
  ...relay({ start: at(24), count: 6, everyMs: HOUR_MS, sender: 'user1@contoso.com', status: 'failed' }).map((row) => ({
    ...row,
    refusal: REFUSAL_UNREGISTERED_BLOCKED,
  })),
  ...Array.from({ length: 60 }, (_, index) => at(27) + index * 30_000).flatMap((time) => {
    const messageId = `${time}@outside.example`;
    const sender = 'loop@outside.example';
    return [
      { time, sender, recipient: 'anna@contoso.com', messageId },
      { time: time + 1000, sender, recipient: 'loop@outside.example', messageId, traceId: `out ${time}` },
    ];
  }),
];
const ALLOWED: AllowEntry = {
  domain: 'allowed.example',
  mailbox: null,
  connector: null,
  address: null,
  owner: 'ann',
  reason: 'ours',
  expiresMs: at(28),
};

describe('the state of a walk', () => {
  it('can be saved anywhere, gone on from, and gone back to', () => {
    const seed = Number(process.env.RELAYWATCH_SEED ?? 1);
    const { blocks, documents, walkOf } = prepared(rows);
    const whole = walkOf();
    for (const block of blocks) whole.block(block);
    const expected = documents(whole);
    // Everything that has a state of its own took part.
    const found: IncidentDocument[] = JSON.parse(expected);
    const types = found.map(({ event }) => event.action);
    for (const type of ['relay', 'domain_rotation', 'blocked', 'forwarding_loop']) expect(types).toContain(type);
    expect(found.map(({ relaywatch }) => relaywatch.incident.statistic)).toContain('cusum');
    expect(whole.allowed[0].recipients).toBe(40);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: blocks.length - 1 }), fc.integer({ min: 0, max: 3 }), (cut, wasted) => {
        const first = walkOf();
        for (const block of blocks.slice(0, cut)) first.block(block);
        const saved = structuredClone(first.save());
        // What is walked after saving must not show in the state.
        for (const block of blocks.slice(cut, cut + wasted)) first.block(block);
        first.load(saved);
        for (const block of blocks.slice(cut)) first.block(block);
        expect(documents(first), `seed ${seed}, from block ${cut}`).toBe(expected);
        // Gone back to once more: what went on from the state has not changed it.
        first.load(saved);
        for (const block of blocks.slice(cut)) first.block(block);
        expect(documents(first), `seed ${seed}, again from block ${cut}`).toBe(expected);
        expect(first.allowed).toEqual(whole.allowed);
        const other = walkOf();
        other.load(saved);
        for (const block of blocks.slice(cut)) other.block(block);
        expect(documents(other)).toBe(expected);
      }),
      { numRuns: 25, seed },
    );
  });
});

/** The rows as sorted blocks of a few hours each, and walks over them. */
function prepared(all: readonly Row[]) {
  const { pairs, collector } = collectRows(all, Number.MAX_SAFE_INTEGER);
  collector.merge(() => {});
  const blocks: SortedBlock[] = [];
  collector.visitBlocks((block) => {
    // A step of the ramp test is six hours: cuts lie inside them, too.
    for (let first = 0; first < block.count; ) {
      const part = Math.floor(block.doubles[first * RECORD_DOUBLES] / (4 * HOUR_MS));
      let end = first;
      while (end < block.count && Math.floor(block.doubles[end * RECORD_DOUBLES] / (4 * HOUR_MS)) === part) end++;
      const words = block.words.slice(first * RECORD_WORDS, end * RECORD_WORDS);
      blocks.push({ words, doubles: new Float64Array(words.buffer), count: end - first });
      first = end;
    }
  });
  const options = { tenantKey: TENANT, organization: null, evidenceRows: 10 };
  const walkOf = (labels: readonly Label[] = verdicts()): Walk => {
    const walk: Walk = new Walk(
      detectionSettings(100, { labels, allow: [ALLOWED], connectors: null }),
      tenantModelOf(pairs, TENANT, ACCEPTED),
      hourSlotsOf('UTC'),
      pairs.ids,
      { tenantKey: TENANT, idOf: (incident) => describer.nextId(incident) },
    );
    const describer = new IncidentDescriber(walk, pairs, new ChosenTexts(), options);
    return walk;
  };
  const documents = (walk: Walk) => {
    walk.finish(walk.seen.lastMs as number);
    return JSON.stringify(describeIncidents(walk, pairs, new ChosenTexts(), options, null).incidents);
  };
  /** The first incident is abuse, the newsletter is wanted. */
  let known: Label[] | null = null;
  const verdicts = (): readonly Label[] => {
    if (known !== null) return known;
    known = [];
    const walk = walkOf([]);
    for (const block of blocks) walk.block(block);
    const incidents: IncidentDocument[] = JSON.parse(documents(walk));
    const newsletter = incidents.find(({ event }) => event.start.startsWith('2026-01-20')) as IncidentDocument;
    const label = { by: 'ann', note: '' };
    known = [
      { ...label, incident: incidents[0].event.id, verdict: 'abuse', atMs: at(10) },
      { ...label, incident: newsletter.event.id, verdict: 'benign', atMs: at(16) },
    ];
    return known;
  };
  return { blocks, documents, walkOf };
}
