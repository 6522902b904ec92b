import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectionSettings } from '../../../src/config/detection.ts';
import { hourSlotsOf } from '../../../src/core/calendar.ts';
import { describeIncidents } from '../../../src/core/documents.ts';
import { ChosenTexts } from '../../../src/core/identity.ts';
import type { SortedBlock } from '../../../src/core/order.ts';
import { Walk } from '../../../src/core/walk/walk.ts';
import {
  ACCEPTED,
  collectRows,
  DAY_MS,
  HOUR_MS,
  MONDAY,
  ordinary,
  type Pairs,
  relay,
  TENANT,
  tenantModelOf,
} from '../pairs.ts';

const rows = [
  ...ordinary(MONDAY, 12),
  ...relay({ start: MONDAY + 9 * DAY_MS + 10 * HOUR_MS, count: 120, everyMs: 20_000 }),
  ...relay(
    { start: MONDAY + 11 * DAY_MS - 600_000, count: 60, everyMs: 30_000, fromIp: '198.51.100.99' },
    () => 'z.example',
  ),
];

describe('the state of a walk', () => {
  it('can be saved anywhere, gone on from, and gone back to', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    const { blocks, documents, walkOf } = prepared();
    const whole = walkOf();
    for (const block of blocks) whole.block(block);
    const expected = documents(whole);
    expect(JSON.parse(expected).length).toBeGreaterThan(0);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: blocks.length - 1 }), fc.integer({ min: 0, max: 3 }), (cut, wasted) => {
        const first = walkOf();
        for (const block of blocks.slice(0, cut)) first.block(block);
        const saved = structuredClone(first.save());
        // What is walked after saving must not show in the state.
        for (const block of blocks.slice(cut, cut + wasted)) first.block(block);
        first.load(saved);
        for (const block of blocks.slice(cut)) first.block(block);
        expect(documents(first)).toBe(expected);
        const other = walkOf();
        other.load(saved);
        for (const block of blocks.slice(cut)) other.block(block);
        expect(documents(other)).toBe(expected);
      }),
      { numRuns: 40, seed },
    );
  });
});

/** The rows as sorted blocks of a day each, and walks over them. */
function prepared() {
  const { pairs, collector } = collectRows(rows, Number.MAX_SAFE_INTEGER);
  collector.merge(() => {});
  const blocks: SortedBlock[] = [];
  collector.visitBlocks((block) => {
    blocks.push({ words: block.words.slice(), doubles: block.doubles.slice(), count: block.count });
  });
  const walkOf = () =>
    new Walk(detectionSettings(100), tenantModelOf(pairs, TENANT, ACCEPTED), hourSlotsOf('UTC'), pairs.ids);
  const documents = (walk: Walk) => {
    walk.finish(walk.seen.lastMs as number);
    const options = { tenantKey: TENANT, organization: null, evidenceRows: 10 };
    return JSON.stringify(describeIncidents(walk, pairs as Pairs, new ChosenTexts(), options, null).incidents);
  };
  return { blocks, documents, walkOf };
}
