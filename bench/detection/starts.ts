/** When things happen, and where attacks come from. */

import type { IncidentType } from '../../src/core/incident-document.ts';
import { DAY_MS, HOUR_MS } from '../traffic/message.ts';
import type { Random } from '../traffic/random.ts';
import type { OpenBackground } from './backgrounds.ts';
import type { BackgroundFacts } from './facts.ts';

/** Days after the last row of an attack that a trial goes on: its 24-hour window has to run empty. */
const REST_DAYS = 2;

/** Whether a day of the background is a weekday; days count from its start. */
export function isWeekday(background: OpenBackground, day: number): boolean {
  return (Math.floor(background.startMs / DAY_MS) + day + 3) % 7 < 5;
}

/**
 * First day of something that takes `lengthDays`: uniform from `fromDay` on, so that it ends within the
 * background. Null where the background is too short.
 */
export function anyDay(
  random: Random,
  background: OpenBackground,
  fromDay: number,
  lengthDays: number,
  toDay = Infinity,
): number | null {
  const last = Math.min(toDay, background.days - Math.ceil(lengthDays) - REST_DAYS - 1);
  return last < fromDay ? null : random.integer(fromDay, last);
}

/** The day after which a trial of something that begins on a day and takes `hours` may end. */
export function endDay(fromDay: number, hours: number): number {
  return fromDay + Math.ceil((hours + 24) / 24) + REST_DAYS;
}

/** Uniform within a day. */
export function anyTime(random: Random, background: OpenBackground, day: number): number {
  return background.startMs + day * DAY_MS + Math.floor(random.uniform() * DAY_MS);
}

/** In one of the three busiest hours of weekdays. */
export function inOfficePeak(random: Random, facts: BackgroundFacts, day: number): number {
  const hour = random.pick(facts.hoursByRows.slice(0, 3));
  return facts.background.startMs + day * DAY_MS + hour * HOUR_MS + Math.floor(random.uniform() * 0.5 * HOUR_MS);
}

/** In one of the six quietest hours. */
export function atNight(random: Random, facts: BackgroundFacts, day: number): number {
  const hour = random.pick(facts.hoursByRows.slice(-6));
  return facts.background.startMs + day * DAY_MS + hour * HOUR_MS + Math.floor(random.uniform() * 0.5 * HOUR_MS);
}

export interface RelaySource {
  ip: string;
  connector: string;
  /** The connector has never been seen before. */
  newConnector: boolean;
}

/** Where a relay attack comes from: the tenant's own server, or one never seen, with or without a connector of its own. */
export function relaySource(random: Random, background: OpenBackground): RelaySource {
  const own = background.hybrid[0];
  if (own !== undefined && random.chance(0.6)) return { ip: own.ip, connector: own.connector, newConnector: false };
  const ip = `192.0.2.${random.integer(100, 250)}`;
  if (own !== undefined && random.chance(0.5)) return { ip, connector: own.connector, newConnector: false };
  return { ip, connector: random.pick(['relay77', 'Mail', 'Inbound connector 2']), newConnector: true };
}

/** What a relay may be called: a new connector has to be named once the tenant's own ones are known. */
export function relayTypes(source: RelaySource, day: number): IncidentType[] {
  if (!source.newConnector) return ['relay'];
  return day < 8 ? ['relay', 'rogue_connector'] : ['rogue_connector'];
}
