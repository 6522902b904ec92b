/** Attacks at bad times: on the first day, while something harmless is open, after a holiday. A22 to A24. */

import { makeAttack } from '../../traffic/attack.ts';
import { massMailing } from '../../traffic/look-alike.ts';
import { DAY_MS, HOUR_MS, type TrafficMessage } from '../../traffic/message.ts';
import { externalIp, personName } from '../../traffic/names.ts';
import { Random } from '../../traffic/random.ts';
import { holidays, type Variation } from '../../traffic/variation.ts';
import type { OpenBackground } from '../backgrounds.ts';
import { type AttackBounds, attackMetrics } from '../metrics.ts';
import type { ExpectedAttack, Scenario } from '../scenario.ts';
import { anyDay, anyTime, endDay, relaySource, relayTypes } from '../starts.ts';

const BOUNDS: AttackBounds = {
  recall: { gate: 0.98, goal: 1 },
  type: { gate: 0.9, goal: 0.98 },
  firstContributor: { gate: 0.95, goal: 0.99 },
  incidents: { gate: 1.2, goal: 1.02 },
  severe: { goal: 1 },
};

function relayAt(
  random: Random,
  background: OpenBackground,
  startMs: number,
  recipientsPerHour: number,
): { attack: ExpectedAttack; messages: TrafficMessage[] } {
  const source = relaySource(random, background);
  const { truth, messages } = makeAttack(
    { seed: random.seed, mailboxes: background.mailboxes },
    {
      kind: 'relay',
      id: 'attack',
      startMs,
      hours: 3,
      recipientsPerHour,
      domains: { count: random.pick([1, 3]) },
      source,
      knownDomainShare: random.pick([0, 0.3, 0.7]),
    },
  );
  const day = Math.floor((startMs - background.startMs) / DAY_MS);
  return { attack: { truth, types: relayTypes(source, day) }, messages };
}

function mailboxAt(
  random: Random,
  background: OpenBackground,
  startMs: number,
  recipientsPerHour: number,
): { attack: ExpectedAttack; messages: TrafficMessage[] } {
  const { truth, messages } = makeAttack(
    { seed: random.seed, mailboxes: background.mailboxes },
    { kind: 'mailbox', id: 'attack', startMs, hours: 3, recipientsPerHour },
  );
  return { attack: { truth, types: ['compromised_mailbox'] }, messages };
}

function firstDay(
  id: string,
  title: string,
  make: typeof relayAt,
  rates: readonly number[],
  bounds: AttackBounds,
): Scenario {
  return {
    id,
    title,
    runsOn: (kind) => kind.pool !== 'newsletter',
    plan: (random, background) => {
      const startMs = background.firstMs + Math.floor(random.between(3, 30) * HOUR_MS);
      const fromDay = Math.floor((startMs - background.startMs) / DAY_MS);
      return {
        fromDay,
        toDay: endDay(fromDay, 3),
        build: () => {
          const { attack, messages } = make(random, background, startMs, random.pick(rates));
          return { variation: { extra: messages }, attacks: [attack] };
        },
      };
    },
    measure: (outcomes) => attackMetrics(outcomes, bounds),
  };
}

/** A new application sends in a foreign name: an incident, but nobody means ill. */
function foreignApplication(random: Random, background: OpenBackground, startMs: number): TrafficMessage[] {
  const own = background.hybrid[0];
  const people = new Random(`${random.seed}/customers`);
  return Array.from({ length: 90 }, (_, index) => ({
    traceId: random.guid(),
    messageId: `<${random.word().toString(36)}.${index}@events.example>`,
    timeMs: startMs + Math.floor(random.uniform() * 0.5 * HOUR_MS),
    sender: 'tickets@events.example',
    recipients: [
      { address: `${personName(people)}${index}@freemail.example.com`, status: 'Delivered', toIp: externalIp(900) },
    ],
    subject: 'Your ticket',
    sizeBytes: 30_000,
    fromIp: own?.ip ?? '192.0.2.77',
    connector: own?.connector ?? 'Inbound from DC1',
    direction: 'originating',
  }));
}

/** The attack comes 1 to 20 hours after something harmless that has an incident of its own. */
function whileOpen(
  id: string,
  title: string,
  make: typeof relayAt,
  rate: number,
  harmless: (random: Random, background: OpenBackground, startMs: number) => TrafficMessage[],
): Scenario {
  return {
    id,
    title,
    runsOn: (kind) => kind.pool !== 'newsletter',
    plan: (random, background) => {
      const fromDay = anyDay(random, background, 14, 3, 90);
      if (fromDay === null) return null;
      return {
        fromDay,
        toDay: Math.min(background.days, endDay(fromDay, 48)),
        build: () => {
          const openMs = anyTime(random, background, fromDay);
          const { attack, messages } = make(random, background, openMs + random.between(1, 20) * HOUR_MS, rate);
          const variation: Variation = { extra: [...harmless(random, background, openMs), ...messages] };
          return { variation, attacks: [attack] };
        },
      };
    },
    measure: (outcomes) => attackMetrics(outcomes, BOUNDS),
  };
}

export const SITUATION_SCENARIOS: Scenario[] = [
  firstDay('A22-relay', 'Relay of 200 or 1,000 an hour, 3 to 30 h after the first row', relayAt, [200, 1000], {
    ...BOUNDS,
    recall: { gate: 1, goal: 1 },
    leakMedian: { gate: 15, goal: 8 },
    leakP95: { gate: 50, goal: 20 },
  }),
  firstDay(
    'A22-mailbox',
    'Mailbox taken over, 100 to 1,000 an hour, 3 to 30 h after the first row',
    mailboxAt,
    [100, 300, 1000],
    BOUNDS,
  ),
  whileOpen(
    'A23-relay',
    'Relay of 200 an hour while an incident about a harmless application is open',
    relayAt,
    200,
    foreignApplication,
  ),
  whileOpen(
    'A23-mailbox',
    'Mailbox taken over, 300 an hour, while an incident about a newsletter is open',
    mailboxAt,
    300,
    (random, background, startMs) =>
      massMailing({
        seed: random.seed,
        sender: `newsletter@${background.acceptedDomains[0]}`,
        recipients: 400,
        startMs,
        minutes: 20,
        subject: 'Our spring programme',
      }),
  ),
  {
    id: 'A24',
    title: 'Relay of 200 an hour on the first day after 3 to 7 holidays',
    runsOn: (kind) => kind.pool !== 'newsletter' && kind.pool !== '100k',
    plan: (random, background) => {
      const length = random.integer(3, 7);
      const fromDay = anyDay(random, background, 28, length + 2, 90);
      if (fromDay === null) return null;
      const lastDay = fromDay + length - 1;
      return {
        fromDay,
        toDay: Math.min(background.days, endDay(lastDay + 1, 3)),
        build: () => {
          const rest = holidays({
            seed: random.seed,
            startMs: background.startMs,
            firstDay: fromDay,
            lastDay,
            restShare: 0.15,
            dayAfter: 1.2,
          });
          const { attack, messages } = relayAt(random, background, anyTime(random, background, lastDay + 1), 200);
          return { variation: { ...rest, extra: messages }, attacks: [attack] };
        },
      };
    },
    measure: (outcomes) => attackMetrics(outcomes, BOUNDS),
  },
];
