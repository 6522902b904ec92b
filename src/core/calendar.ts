/** UTC days and the hour of the week in the tenant's zone. Day 0 is 1970-01-01; times are milliseconds UTC. */

export const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
export const HOURS_PER_WEEK = 168;

export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

/** RFC 3339 with milliseconds. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/**
 * The hour-of-week slots (0 is Monday 00:00) of the 24 UTC hours of a day, as they are in a zone. A
 * zone with an offset of half an hour puts the UTC hour into the slot in which it begins.
 */
export type HourSlots = (day: number) => Uint8Array;

/** Throws a RangeError for a zone that the platform does not know. */
export function hourSlotsOf(timeZone: string): HourSlots {
  if (timeZone === 'UTC') return utcSlots;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: 'numeric', hourCycle: 'h23' });
  const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  return (day) => {
    const slots = new Uint8Array(24);
    for (let hour = 0; hour < 24; hour++) {
      let weekday = 0;
      let localHour = 0;
      for (const part of format.formatToParts(new Date(day * DAY_MS + hour * HOUR_MS))) {
        if (part.type === 'weekday') weekday = weekdays.indexOf(part.value);
        else if (part.type === 'hour') localHour = Number(part.value) % 24;
      }
      slots[hour] = weekday * 24 + localHour;
    }
    return slots;
  };
}

function utcSlots(day: number): Uint8Array {
  const slots = new Uint8Array(24);
  // Day 0 was a Thursday, slot 72.
  const first = ((((day + 3) % 7) + 7) % 7) * 24;
  for (let hour = 0; hour < 24; hour++) slots[hour] = first + hour;
  return slots;
}
