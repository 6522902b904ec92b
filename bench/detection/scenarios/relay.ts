/** A server relays mail of domains that the tenant does not own: A1 to A17, and ways of hiding. */

import type { IncidentType } from '../../../src/core/incident-document.ts';
import { makeAttack, type RelayAttack } from '../../traffic/attack.ts';
import type { Random } from '../../traffic/random.ts';
import type { BackgroundKind, OpenBackground } from '../backgrounds.ts';
import type { BackgroundFacts } from '../facts.ts';
import { type AttackBounds, attackMetrics } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { anyDay, anyTime, atNight, endDay, inOfficePeak, isWeekday, relaySource, relayTypes } from '../starts.ts';

type Volume = Pick<RelayAttack, 'hours' | 'recipientsPerHour'> & Partial<RelayAttack>;

interface RelayOptions {
  id: string;
  title: string;
  /** First day on which it may begin; after learning by default. */
  fromDay?: number;
  when?: 'any' | 'peak' | 'night';
  /** Longest it takes. */
  hours: number;
  volume(facts: BackgroundFacts, random: Random): Volume | null;
  domains?(random: Random): RelayAttack['domains'];
  /** Types that are right besides those of its source. */
  types?: readonly IncidentType[];
  bounds(pool: string): AttackBounds;
  runsOn?(kind: BackgroundKind): boolean;
}

/** Long attacks would hold weeks of the largest tenants in memory. */
const LONGEST_HOURS_ON_100K = 48;

function isDay(background: OpenBackground, day: number, when: RelayOptions['when']): boolean {
  return when !== 'peak' || isWeekday(background, day);
}

function relay(options: RelayOptions): Scenario {
  return {
    id: options.id,
    title: options.title,
    runsOn: (kind) =>
      kind.pool !== 'newsletter' &&
      (kind.pool !== '100k' || options.hours <= LONGEST_HOURS_ON_100K) &&
      (options.runsOn?.(kind) ?? true),
    plan: (random, background) => {
      let fromDay: number | null = null;
      do fromDay = anyDay(random, background, options.fromDay ?? 28, options.hours / 24, 90);
      while (fromDay !== null && !isDay(background, fromDay, options.when));
      if (fromDay === null) return null;
      const day = fromDay;
      return {
        fromDay: day,
        toDay: Math.min(background.days, endDay(day, options.hours)),
        build: (facts) => {
          const startMs =
            options.when === 'peak'
              ? inOfficePeak(random, facts, day)
              : options.when === 'night'
                ? atNight(random, facts, day)
                : anyTime(random, background, day);
          const volume = options.volume(facts, random);
          if (volume === null) return { variation: { extra: [] }, attacks: [] };
          const source = relaySource(random, background);
          const domains = volume.domains ?? options.domains?.(random) ?? { count: random.pick([1, 1, 3, 40]) };
          const types = new Set([...relayTypes(source, day), ...(options.types ?? [])]);
          if ('count' in domains && domains.count >= 40) types.add('domain_rotation');
          const { truth, messages } = makeAttack(
            { seed: random.seed, mailboxes: background.mailboxes },
            {
              kind: 'relay',
              id: 'attack',
              startMs,
              domains,
              source,
              knownDomainShare: random.pick([0, 0.3, 0.7]),
              ...volume,
            },
          );
          return { variation: { extra: messages }, attacks: [{ truth, types: [...types] }] };
        },
      };
    },
    measure: (outcomes, pool) => attackMetrics(outcomes, options.bounds(pool)),
  };
}

const NAMING: AttackBounds = {
  recall: { gate: 0.98, goal: 1 },
  type: { gate: 0.9, goal: 0.98 },
  firstContributor: { gate: 0.95, goal: 0.99 },
  incidents: { gate: 1.2, goal: 1.02 },
  severe: { goal: 1 },
};

function isLarge(pool: string): boolean {
  return pool === '10k' || pool === '100k';
}

/** `times` the tenant's unregistered rows of a day, in two hours. */
function burst(id: string, times: number, when: RelayOptions['when'], bounds: RelayOptions['bounds']): Scenario {
  const at = when === 'peak' ? 'in the office peak' : when === 'night' ? 'at night' : 'any hour';
  return relay({
    id,
    title: `Burst of ${times} days' unregistered mail in 2 h, ${at}`,
    when,
    hours: 2,
    volume: (facts) => ({ hours: 2, recipientsPerHour: (times * facts.unregisteredPerDay) / 2 }),
    bounds,
  });
}

/** A8 and A9 are promised from the second day on. */
function perHour(id: string, recipientsPerHour: number, leakPromised = true): Scenario {
  return relay({
    id,
    title: `${recipientsPerHour.toLocaleString('en')} an hour for 3 h, any hour from the second day on`,
    fromDay: 1,
    hours: 3,
    volume: () => ({ hours: 3, recipientsPerHour }),
    bounds: (pool) =>
      leakPromised
        ? {
            ...NAMING,
            leakMedian: { gate: isLarge(pool) ? 25 : 15, goal: 8 },
            leakP95: { gate: isLarge(pool) ? 80 : 25, goal: 12 },
            limitShare: { gate: 0.002, goal: 0.0005 },
          }
        : NAMING,
  });
}

function inLargeMessages(id: string, recipientsPerHour: number, recipientsPerMessage: number, leak: number): Scenario {
  return relay({
    id,
    title: `${recipientsPerHour.toLocaleString('en')} an hour for 3 h as ${recipientsPerMessage} recipients a message`,
    fromDay: 1,
    hours: 3,
    volume: () => ({ hours: 3, recipientsPerHour, recipientsPerMessage }),
    domains: () => ({ count: 1 }),
    bounds: () => ({ ...NAMING, leakMedian: { gate: leak } }),
  });
}

const SLOW: AttackBounds = { ...NAMING, leakMedian: { gate: 30, goal: 15 } };
const DAY_HOURS = 24;

export const RELAY_SCENARIOS: Scenario[] = [
  burst('A1', 1, 'any', () => ({ recall: { goal: 0.9 } })),
  burst('A2', 3, 'any', () => ({ recall: { goal: 0.9 } })),
  burst('A3', 10, 'any', () => NAMING),
  burst('A4', 30, 'any', () => NAMING),
  burst('A5', 100, 'any', () => NAMING),
  burst('A6', 10, 'peak', (pool) => ({
    ...NAMING,
    leakMedian: { gate: isLarge(pool) ? 25 : 15, goal: isLarge(pool) ? 12 : 8 },
    leakP95: { gate: isLarge(pool) ? 80 : 30, goal: isLarge(pool) ? 30 : 15 },
  })),
  burst('A7', 30, 'night', () => NAMING),
  perHour('A8', 200),
  perHour('A9', 1000),
  perHour('A10', 5000, false),
  relay({
    id: 'A11',
    title: "Ramp that doubles daily for 9 days, from a fifth of a day's unregistered mail",
    hours: 9 * DAY_HOURS,
    volume: (facts) => ({
      hours: 9 * DAY_HOURS,
      recipientsPerHour: 0,
      hourlyRecipients: Array.from(
        { length: 9 * DAY_HOURS },
        (_, hour) => ((0.2 * facts.unregisteredPerDay * Math.LN2) / 24) * 2 ** (hour / 24),
      ),
    }),
    bounds: () => SLOW,
  }),
  relay({
    id: 'A12',
    title: "Linear ramp for 14 days, every day by half a day's unregistered mail",
    hours: 14 * DAY_HOURS,
    volume: (facts) => ({
      hours: 14 * DAY_HOURS,
      recipientsPerHour: 0,
      hourlyRecipients: Array.from(
        { length: 14 * DAY_HOURS },
        (_, hour) => ((0.5 * facts.unregisteredPerDay) / 24) * ((hour + 0.5) / 24),
      ),
    }),
    bounds: () => SLOW,
  }),
  ...[
    { id: 'A13', times: 2, days: 14 },
    { id: 'A14', times: 1, days: 21 },
  ].map(({ id, times, days }) =>
    relay({
      id,
      title: `${times === 1 ? 'Once' : 'Twice'} the tenant's unregistered mail for ${days} days`,
      hours: days * DAY_HOURS,
      volume: (facts) => ({ hours: days * DAY_HOURS, recipientsPerHour: (times * facts.unregisteredPerDay) / 24 }),
      bounds: () => NAMING,
    }),
  ),
  relay({
    id: 'A15',
    title: 'Rotation: 200 an hour for 3 h, a fresh domain after every 5 mails',
    fromDay: 1,
    hours: 3,
    volume: () => ({ hours: 3, recipientsPerHour: 200 }),
    domains: () => ({ messagesPerDomain: 5 }),
    types: ['domain_rotation'],
    bounds: () => ({ ...NAMING, leakMedian: { gate: 40, goal: 15 } }),
  }),
  relay({
    id: 'A16',
    title: 'Rotation: 200 an hour for 3 h, a fresh IP after every 5 mails',
    fromDay: 1,
    hours: 3,
    volume: () => ({ hours: 3, recipientsPerHour: 200, messagesPerSource: 5 }),
    domains: (random) => ({ count: random.pick([1, 3]) }),
    bounds: () => NAMING,
  }),
  relay({
    id: 'A17',
    title: 'A known unregistered domain grows tenfold (at least 20 a day) for 5 days',
    hours: 5 * DAY_HOURS,
    volume: (facts, random) => {
      const known = facts.unregisteredDomains.slice(0, 5);
      if (known.length === 0) return null;
      const { domain, perDay } = random.pick(known);
      return { hours: 5 * DAY_HOURS, recipientsPerHour: (10 * Math.max(2, perDay)) / 24, domains: [domain] };
    },
    bounds: () => NAMING,
  }),
  inLargeMessages('A8by20', 200, 20, 60),
  inLargeMessages('A8by100', 200, 100, 100),
  inLargeMessages('A8by500', 200, 500, 500),
  inLargeMessages('A9by20', 1000, 20, 60),
  inLargeMessages('A9by100', 1000, 100, 100),
  inLargeMessages('A9by500', 1000, 500, 500),
  ...[true, false].map((forwards) =>
    relay({
      id: forwards ? 'bcc-forwarding' : 'bcc',
      title: `200 an hour with a blind copy to a mailbox that ${forwards ? 'forwards' : 'does not forward'}`,
      fromDay: 1,
      hours: 3,
      volume: (facts, random) => {
        const hiding = facts.background.mailboxes.filter((mailbox) => mailbox.forwardsTo.length > 0 === forwards);
        if (hiding.length === 0) return null;
        return { hours: 3, recipientsPerHour: 200, bccMailbox: random.pick(hiding).address };
      },
      bounds: () => ({ ...NAMING, leakP95: { gate: 40, goal: 15 } }),
    }),
  ),
  relay({
    id: 'warm-up',
    title: 'A week of warming up, from 2 to 20 a day, then 200 an hour for 3 h',
    hours: 7 * DAY_HOURS + 3,
    volume: () => ({
      hours: 7 * DAY_HOURS + 3,
      recipientsPerHour: 0,
      hourlyRecipients: Array.from({ length: 7 * DAY_HOURS + 3 }, (_, hour) =>
        hour < 7 * DAY_HOURS ? (2 + (18 * hour) / (7 * DAY_HOURS)) / 24 : 200,
      ),
    }),
    bounds: () => SLOW,
  }),
];
