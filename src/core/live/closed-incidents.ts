/** Letting go of what nothing can change any more: incidents that closed so long ago that no row reopens them. */

import { DAY_MS } from '../calendar.ts';
import type { IncidentBookState } from '../walk/incident-book.ts';

/** A closed incident can be reopened for seven days. */
const REOPENED_WITHIN_MS = 7 * DAY_MS;

/**
 * Takes out of a state the incidents that no row at `fromMs` or later can reopen. What goes on is as it would be with
 * them: they are asked for only by a hit within those days of their end.
 */
export function forgetClosed(book: IncidentBookState, fromMs: number): void {
  /** New place by the old one. */
  const places = new Map<number, number>();
  book.incidents.forEach(({ facts: { closedMs } }, place) => {
    if (closedMs === null || closedMs + REOPENED_WITHIN_MS >= fromMs) places.set(place, places.size);
  });
  if (places.size === book.incidents.length) return;
  book.incidents = book.incidents
    .filter((_, place) => places.has(place))
    .map((incident, order) => ({ ...incident, facts: { ...incident.facts, order } }));
  book.owners = new Map(
    [...book.owners].flatMap(([member, place]): [string, number][] => {
      const kept = places.get(place);
      return kept === undefined ? [] : [[member, kept]];
    }),
  );
}
