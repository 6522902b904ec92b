import { describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, MONDAY, ordinary, relay, scanRows } from '../pairs.ts';

const QUIET = ordinary(MONDAY, 24);
const START = MONDAY + 9 * DAY_MS + 14 * HOUR_MS;
const attack = (start: number, count = 100) => relay({ start, count, everyMs: 20_000 });
const last = (start: number, count = 100) => start + (count - 1) * 20_000;
const time = (timeMs: number) => new Date(timeMs).toISOString();

describe('an incident that comes back', () => {
  it('is the same incident within seven days of its end, and the gap is not counted', () => {
    const again = START + 4 * DAY_MS;
    // Too few to be a hit, inside the gap: rows of the campaign's connector, but not of the incident.
    const between = relay({ start: START + 2 * DAY_MS + 6 * HOUR_MS, count: 4, everyMs: 3_600_000 });
    const incidents = scanRows([...QUIET, ...attack(START), ...between, ...attack(again)]);
    expect(incidents).toHaveLength(1);
    const [{ event, relaywatch }] = incidents;
    expect(relaywatch.incident.reopened_count).toBe(1);
    expect(relaywatch.incident.recipients).toBe(200);
    expect(relaywatch.incident.messages).toBe(200);
    expect(event.end).toBe(time(last(again)));
    expect(event.start).toBe(time(START));
    // The reopening is a notification.
    expect(relaywatch.incident.escalations.some((entry) => entry.at === time(again + 7 * 20_000))).toBe(true);
  });

  it('is a new incident after seven days, with an id of its own', () => {
    // Activity ends within a day of the last row; closing comes a day later.
    const incidents = scanRows([...QUIET, ...attack(START), ...attack(START + 10 * DAY_MS)]);
    expect(incidents.map((incident) => incident.relaywatch.incident.reopened_count)).toEqual([0, 0]);
    expect(incidents.map((incident) => incident.relaywatch.incident.recipients)).toEqual([100, 100]);
    expect(new Set(incidents.map((incident) => incident.event.id)).size).toBe(2);
  });

  it('is still the same incident while it is open', () => {
    const incidents = scanRows([...QUIET, ...attack(START), ...attack(START + 20 * HOUR_MS)]);
    expect(incidents).toHaveLength(1);
    expect(incidents[0].relaywatch.incident.reopened_count).toBe(0);
    expect(incidents[0].relaywatch.incident.recipients).toBe(200);
  });
});
