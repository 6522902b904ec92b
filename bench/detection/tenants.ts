/** The tenants of the evaluation, by kind and size; a seed picks everything that is not said. */

import { DAY_MS, HOUR_MS } from '../traffic/message.ts';
import { Random } from '../traffic/random.ts';
import { type Background, generateBackground, type HybridServer, type WorldOptions } from '../traffic/world.ts';

/** Monday. Any day does: the season of a world is by the hour of the week. */
export const START_MS = Date.UTC(2026, 0, 5);

/** How much the product learns before false incidents count. */
export const LEARNING_DAYS = 28;

export interface TenantOptions {
  seed: string;
  rowsPerDay: number;
  days: number;
  /** Whether an on-premises server sends through the tenant: never, always, or by seed. */
  hybrid: 'none' | 'quiet' | 'either';
  world?: Partial<WorldOptions>;
}

/** Servers send little: what is theirs grows slower than the tenant. */
function quietServer(random: Random, rowsPerDay: number): HybridServer {
  return {
    ip: `192.0.2.${random.integer(10, 60)}`,
    connector: random.pick(['Inbound from DC1', 'Hybrid inbound', 'On-premises relay', 'Inbound from 5f1e7a52']),
    applicationRowsPerDay: Math.min(rowsPerDay / 5, 4 + Math.sqrt(rowsPerDay)),
    foreignRowsPerDay: random.between(1, 6),
  };
}

export function makeTenant(options: TenantOptions): Background {
  const random = new Random(`tenant/${options.seed}`);
  const withServer = options.hybrid === 'quiet' || (options.hybrid === 'either' && random.chance(0.5));
  const server = quietServer(random, options.rowsPerDay);
  return generateBackground({
    seed: options.seed,
    startMs: START_MS,
    days: options.days,
    rowsPerDay: options.rowsPerDay,
    wildness: random.between(0.6, 1.5),
    hybrid: withServer ? [server] : [],
    ...options.world,
  });
}

/** Where a relay attack comes from: the tenant's own server, or one never seen, with or without a connector of its own. */
export function attackSource(random: Random, background: Background): { ip: string; connector: string } {
  const own = background.hybrid[0];
  if (own !== undefined && random.chance(0.6)) return { ip: own.ip, connector: own.connector };
  const ip = `192.0.2.${random.integer(100, 250)}`;
  if (own !== undefined && random.chance(0.5)) return { ip, connector: own.connector };
  return { ip, connector: random.pick(['relay77', 'Mail', 'Inbound connector 2']) };
}

/** A start at any hour of any day from `fromDay` to `toDay`, both included. */
export function anyHour(random: Random, fromDay: number, toDay: number): number {
  return START_MS + random.integer(fromDay * 24, toDay * 24 + 23) * HOUR_MS + random.uniform() * HOUR_MS;
}

/** Number of the day in which a time lies, from 0. */
export function dayOf(timeMs: number): number {
  return Math.floor((timeMs - START_MS) / DAY_MS);
}
