import { expect, test } from 'vitest';
import { LastHour } from '../../../src/runtime/completeness/last-hour.ts';

const MINUTE_MS = 60_000;
const NOW_MS = Date.UTC(2026, 5, 1, 12);

test('the last hour forgets what is older, minute by minute', () => {
  const rows = new LastHour();
  rows.add(NOW_MS, 5);
  rows.add(NOW_MS + 30 * MINUTE_MS, 7);
  expect(rows.total(NOW_MS + 59 * MINUTE_MS)).toBe(12);
  expect(rows.total(NOW_MS + 60 * MINUTE_MS)).toBe(7);
  expect(rows.total(NOW_MS + 90 * MINUTE_MS)).toBe(0);
  rows.add(NOW_MS + 400 * MINUTE_MS, 3);
  expect(rows.total(NOW_MS + 400 * MINUTE_MS)).toBe(3);
  // A clock that steps back counts where it was.
  rows.add(NOW_MS, 2);
  expect(rows.total(NOW_MS + 400 * MINUTE_MS)).toBe(5);
});
