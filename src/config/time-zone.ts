/** IANA time zones, as a person writes them. */

import { nearestName } from './nearest-name.ts';

/** The zone under the name that the data of this Node gives it, so that two spellings are one; null where there is none. */
export function canonicalTimeZone(text: string): string | null {
  // Offsets such as +02:00 are zones to Intl, but know no summer time.
  if (!/^[A-Za-z]/.test(text)) return null;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    // A RangeError: no such zone.
    return null;
  }
}

/** The zone that was probably meant, or null. */
export function nearestTimeZone(text: string): string | null {
  return nearestName(text, Intl.supportedValuesOf('timeZone'));
}
