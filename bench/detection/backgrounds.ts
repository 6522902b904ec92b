/**
 * The tenants of the evaluation: generated ones of several sizes and habits, and real mail traces. A
 * background has no attack; scenarios branch off from it.
 */

import { DAY_MS, HOUR_MS, type TrafficMessage } from '../traffic/message.ts';
import { externalIp } from '../traffic/names.ts';
import { Random } from '../traffic/random.ts';
import { holidays, morePeople, newForward, otherHours, together, type Variation } from '../traffic/variation.ts';
import {
  type Background,
  type BackgroundStream,
  type HybridServer,
  streamBackground,
  type WorldOptions,
} from '../traffic/world.ts';
import { real } from './real-mail.ts';

/** Which backgrounds are summed up in one line of the report. */
export type Pool = 'generated' | 'real' | 'newsletter' | '10k' | '100k';

export interface OpenBackground {
  kind: BackgroundKind;
  seed: string;
  tenant: string;
  acceptedDomains: string[];
  /** Accepted too, but nobody has written from it or to it. */
  unusedDomain: string;
  startMs: number;
  /** Time of the tenant's first rows, roughly. */
  firstMs: number;
  days: number;
  mailboxes: Background['mailboxes'];
  hybrid: HybridServer[];
  /** Sorted messages of one day after the other, to be read once. */
  stream: Iterator<readonly TrafficMessage[]>;
}

export interface BackgroundKind {
  id: string;
  title: string;
  pool: Pool;
  days: number;
  /** Attacks of one scenario on one background. */
  trialsEach: number;
  /** Backgrounds in the quick profile. */
  quickGroups: number;
  /** What false incidents are held to, per tenant-month; the report pools kinds of equal `quietAs`. */
  quietAs: string;
  /** Whether its rates stay the same: days in alarm are promised for these. */
  stationary: boolean;
  /** Null where its data is missing here. */
  open(seed: string): OpenBackground | null;
}

/** Monday. */
const FIRST_START_MS = Date.UTC(2025, 8, 1);

/** Servers send little: what is theirs grows slower than the tenant. */
function quietServer(random: Random, rowsPerDay: number): HybridServer {
  return {
    ip: `192.0.2.${random.integer(10, 60)}`,
    connector: random.pick(['Inbound from DC1', 'Hybrid inbound', 'On-premises relay', 'Inbound from 5f1e7a52']),
    applicationRowsPerDay: Math.min(rowsPerDay / 5, 4 + Math.sqrt(rowsPerDay)),
    foreignRowsPerDay: random.between(1, 6),
  };
}

function* afterFirstHour(days: Generator<TrafficMessage[]>, firstMs: number): Generator<TrafficMessage[]> {
  for (const day of days) {
    yield day.length > 0 && day[0].timeMs < firstMs ? day.filter((message) => message.timeMs >= firstMs) : day;
  }
}

interface GeneratedOptions {
  id: string;
  title: string;
  rowsPerDay: number;
  pool?: Pool;
  days?: number;
  trialsEach?: number;
  quickGroups?: number;
  quietAs?: string;
  stationary?: boolean;
  world?: (random: Random) => Partial<WorldOptions>;
  /** What changes for good in the course of time. */
  changes?: (random: Random, world: BackgroundStream, startMs: number, days: number) => Variation;
}

/** A holiday or two in a row now and then, at any time. */
function someHolidays(random: Random, days: number): number[] {
  const holidays: number[] = [];
  for (let index = random.poisson(days / 40); index > 0; index--) {
    const first = random.integer(0, days - 1);
    for (let day = 0; day < random.pick([1, 1, 2, 4]); day++) holidays.push(first + day);
  }
  return holidays;
}

/** Days with a variation that holds from some day on; it looks at the day before and after at most. */
function* varied(stream: Iterator<TrafficMessage[]>, days: number, variation: Variation): Generator<TrafficMessage[]> {
  const kept = new Map<number, TrafficMessage[]>();
  let read = 0;
  const dayOf = (day: number): TrafficMessage[] => {
    while (read <= day && read < days) {
      const next = stream.next();
      kept.set(read++, next.done ? [] : next.value);
    }
    return kept.get(day) ?? [];
  };
  for (let day = 0; day < days; day++) {
    yield variation.replace === undefined ? dayOf(day) : variation.replace(day, dayOf);
    kept.delete(day - 2);
  }
}

function generated(options: GeneratedOptions): BackgroundKind {
  const days = options.days ?? 118;
  const kind: BackgroundKind = {
    id: options.id,
    title: options.title,
    pool: options.pool ?? 'generated',
    days,
    trialsEach: options.trialsEach ?? 2,
    quickGroups: options.quickGroups ?? 6,
    quietAs: options.quietAs ?? options.id,
    stationary: options.stationary ?? true,
    open: (seed) => {
      const random = new Random(`tenant/${options.id}/${seed}`);
      const startMs = FIRST_START_MS + random.integer(0, 6) * DAY_MS;
      const firstMs = startMs + random.integer(0, 23) * HOUR_MS;
      const server = quietServer(random, options.rowsPerDay);
      const world = streamBackground({
        seed: `${options.id}/${seed}`,
        startMs,
        days,
        rowsPerDay: options.rowsPerDay,
        wildness: random.between(0.6, 1.5),
        hybrid: random.chance(0.5) ? [server] : [],
        holidays: someHolidays(random, days),
        ...options.world?.(random),
      });
      const { tenant, acceptedDomains, mailboxes, hybrid } = world;
      const unusedDomain = `${tenant}-group.example`;
      return {
        kind,
        seed: `${options.id}/${seed}`,
        tenant,
        acceptedDomains: [...acceptedDomains, unusedDomain],
        unusedDomain,
        startMs,
        firstMs,
        days,
        mailboxes,
        hybrid,
        stream: afterFirstHour(
          options.changes === undefined
            ? world.days
            : varied(world.days, days, options.changes(random, world, startMs, days)),
          firstMs,
        ),
      };
    },
  };
  return kind;
}

/** Many mailboxes forward: schools, where everybody has another address. */
function forwardsMuch(random: Random): Partial<WorldOptions> {
  return { forwardingMailboxes: random.integer(60, 160), hybrid: [] };
}

function busyServer(random: Random): Partial<WorldOptions> {
  const server = { ...quietServer(random, 300), applicationRowsPerDay: 40, foreignRowsPerDay: random.between(30, 60) };
  return { hybrid: [server] };
}

/** A weekly newsletter that the tenant has always had; the mailbox beside it is what matters. */
function largeNewsletter(random: Random): Partial<WorldOptions> {
  return {
    newsletters: [
      {
        sender: 'newsletter',
        recipients: random.integer(500, 2000),
        firstDay: random.integer(1, 6),
        everyDays: 7,
        hour: random.integer(7, 16),
        minutes: random.integer(20, 60),
        recipientsPerMessage: 1,
        subject: 'Our week',
      },
    ],
  };
}

/** Between three and six of: more people, fewer, for good or for a project; a new forward; clocks that change. */
function severalChanges(random: Random, world: BackgroundStream, startMs: number, days: number): Variation {
  const { acceptedDomains, mailboxes } = world;
  const changes: Variation[] = [];
  for (let index = random.integer(3, 6); index > 0; index--) {
    const seed = `${random.seed}/change/${index}`;
    const fromDay = random.integer(5, days - 5);
    const toDay = random.chance(0.5) ? days : Math.min(days, fromDay + random.integer(7, 28));
    // Clocks at most once: each such change looks at three days of those before it.
    switch (random.integer(0, index === 1 ? 3 : 2)) {
      case 0:
        changes.push(morePeople({ seed, startMs, acceptedDomains, fromDay, toDay, share: random.between(0.2, 0.8) }));
        break;
      case 1:
        changes.push(
          holidays({
            seed,
            startMs,
            firstDay: fromDay,
            lastDay: toDay,
            restShare: random.between(0.4, 0.8),
            dayAfter: 1,
          }),
        );
        break;
      case 2: {
        const { address } = random.pick(mailboxes);
        const target = `${address.slice(0, address.indexOf('@'))}.home@mymail.example.net`;
        changes.push(
          newForward({ seed, mailbox: address, target, targetIp: externalIp(901), fromMs: startMs + fromDay * DAY_MS }),
        );
        break;
      }
      default:
        changes.push(otherHours({ startMs, fromDay, hours: random.pick([-1, 1]) }));
    }
  }
  return together(changes);
}

export const BACKGROUNDS: readonly BackgroundKind[] = [
  // The least that a world has (announcements, newsletters) comes on top.
  generated({ id: '10', title: '10 rows a day', rowsPerDay: 7, quickGroups: 8 }),
  generated({ id: '300', title: '300 rows a day', rowsPerDay: 300, quickGroups: 10 }),
  generated({ id: '1k', title: '1,000 rows a day', rowsPerDay: 1000, quickGroups: 8 }),
  generated({
    id: 'growing',
    title: '300 rows a day, growing by 15 to 50 % a month',
    rowsPerDay: 300,
    stationary: false,
    quickGroups: 5,
    world: (random) => ({ growthPerMonth: random.between(0.15, 0.5) }),
  }),
  generated({
    id: 'changing',
    title: '300 rows a day, three to six changes for good or for weeks',
    rowsPerDay: 300,
    stationary: false,
    quickGroups: 5,
    changes: severalChanges,
  }),
  generated({
    id: 'forwarding',
    title: '1,000 rows a day, 60 to 160 mailboxes forward (education)',
    rowsPerDay: 1000,
    quickGroups: 5,
    world: forwardsMuch,
  }),
  generated({
    id: 'hybrid',
    title: '300 rows a day, a server relays 30 to 60 foreign rows a day',
    rowsPerDay: 300,
    quickGroups: 5,
    world: busyServer,
  }),
  generated({
    id: 'newsletter',
    title: '300 rows a day, a weekly newsletter to 500 to 2,000',
    rowsPerDay: 300,
    pool: 'newsletter',
    stationary: false,
    quickGroups: 4,
    world: largeNewsletter,
  }),
  real('radoslaw', 'radoslaw', true, 6),
  real('enron', 'enron', true, 3),
  real('radoslaw', 'radoslaw', false, 3),
  real('enron', 'enron', false, 2),
  generated({
    id: '10k',
    title: '10,000 rows a day',
    rowsPerDay: 10_000,
    pool: '10k',
    days: 88,
    trialsEach: 4,
    quickGroups: 2,
  }),
  generated({
    id: '100k',
    title: '100,000 rows a day',
    rowsPerDay: 100_000,
    pool: '100k',
    days: 58,
    trialsEach: 25,
    quickGroups: 0,
  }),
];

/** How much the product learns before false incidents count. */
export const LEARNING_DAYS = 28;
