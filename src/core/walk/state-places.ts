/**
 * The rows that a saved walk refers to by position, to show them later. A walk that goes on for months
 * outlives the rows: before they are forgotten, what a state may still show of them is written down
 * elsewhere and the state is told the new place.
 */

import type { RowPlace } from './incident.ts';
import type { MailboxPlace } from './series-keys.ts';
import type { WalkState } from './walk.ts';

/** A row by position and pair; the position may be replaced. */
export type StatePlace = Pick<
  RowPlace & MailboxPlace,
  'positionLo' | 'positionHi' | 'messageLo' | 'messageHi' | 'recipientLo' | 'recipientHi'
>;

/**
 * Calls `move` with every row that incidents and mailboxes of the state show; what it returns takes the
 * row's place, the same object for no change. Walks that share the old places with the state keep them. The rows of the log and of ways in are not asked for:
 * they are younger than two days.
 */
export function movePlaces(state: WalkState, move: <Place extends StatePlace>(place: Place) => Place): void {
  state.mailboxKeys.places = state.mailboxKeys.places.map((place) => move(place));
  for (const { totals } of state.book.incidents) {
    totals.firstRows = totals.firstRows.map((place) => move(place));
    totals.sample = totals.sample.map(({ order, place }) => ({ order, place: move(place) }));
    totals.subjects = new Map(
      [...totals.subjects].map(([hash, { count, place }]) => [hash, { count, place: move(place) }]),
    );
  }
}
