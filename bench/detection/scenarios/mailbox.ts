/** Mailboxes here are taken over and send: A18 to A21. */

import type { IncidentType } from '../../../src/core/incident-document.ts';
import { type MailboxAttack, makeAttack } from '../../traffic/attack.ts';
import type { Random } from '../../traffic/random.ts';
import type { OpenBackground, Pool } from '../backgrounds.ts';
import { type AttackBounds, attackMetrics } from '../metrics.ts';
import type { Scenario } from '../scenario.ts';
import { anyDay, anyTime, endDay } from '../starts.ts';

interface MailboxOptions {
  id: string;
  title: string;
  volume(
    random: Random,
    background: OpenBackground,
  ): Pick<MailboxAttack, 'hours' | 'recipientsPerHour'> & Partial<MailboxAttack>;
  hours: number;
  types: readonly IncidentType[];
  bounds?: AttackBounds;
  leastMailboxes?: number;
  pools?: readonly Pool[];
}

const BOUNDS: AttackBounds = {
  recall: { gate: 0.98, goal: 1 },
  type: { gate: 0.9, goal: 0.98 },
  firstContributor: { gate: 0.95, goal: 0.99 },
  incidents: { gate: 1.2, goal: 1.02 },
  severe: { goal: 1 },
};
const POOLS: readonly Pool[] = ['generated', 'real', '10k', '100k'];

function mailbox(options: MailboxOptions): Scenario {
  return {
    id: options.id,
    title: options.title,
    runsOn: (kind) => (options.pools ?? POOLS).includes(kind.pool),
    plan: (random, background) => {
      if (background.mailboxes.length < (options.leastMailboxes ?? 1)) return null;
      const fromDay = anyDay(random, background, 1, options.hours / 24, 90);
      if (fromDay === null) return null;
      return {
        fromDay,
        toDay: Math.min(background.days, endDay(fromDay, options.hours)),
        build: () => {
          const { truth, messages } = makeAttack(
            { seed: random.seed, mailboxes: background.mailboxes },
            {
              kind: 'mailbox',
              id: 'attack',
              startMs: anyTime(random, background, fromDay),
              knownDomainShare: random.pick([0, 0.3, 0.7]),
              ...options.volume(random, background),
            },
          );
          return { variation: { extra: messages }, attacks: [{ truth, types: options.types }] };
        },
      };
    },
    measure: (outcomes) => attackMetrics(outcomes, options.bounds ?? BOUNDS),
  };
}

export const MAILBOX_SCENARIOS: Scenario[] = [
  ...[100, 300, 1000].map((recipientsPerHour) =>
    mailbox({
      id: `A18-${recipientsPerHour}`,
      title: `Mailbox taken over, ${recipientsPerHour.toLocaleString('en')} an hour for 3 h`,
      hours: 3,
      volume: () => ({ hours: 3, recipientsPerHour }),
      types: ['compromised_mailbox'],
      bounds: { ...BOUNDS, leakMedian: { gate: 60, goal: 25 } },
    }),
  ),
  mailbox({
    id: 'A18-newsletter',
    title: 'Mailbox taken over beside a large newsletter, 300 an hour for 3 h',
    hours: 3,
    volume: () => ({ hours: 3, recipientsPerHour: 300 }),
    types: ['compromised_mailbox'],
    bounds: { ...BOUNDS, leakMedian: { gate: 60, goal: 25 } },
    pools: ['newsletter'],
  }),
  mailbox({
    id: 'A19',
    title: 'Mailbox taken over, 30 an hour for 24 h',
    hours: 24,
    volume: () => ({ hours: 24, recipientsPerHour: 30 }),
    types: ['compromised_mailbox'],
  }),
  mailbox({
    id: 'A20',
    title: 'Mailbox taken over, one message to 500 blind copies',
    hours: 1,
    volume: () => ({ hours: 1, recipientsPerHour: 500, recipientsPerMessage: 500, messages: 1 }),
    types: ['compromised_mailbox'],
  }),
  mailbox({
    id: 'A21',
    title: 'Ten mailboxes taken over, 30 an hour each for 4 h',
    hours: 4,
    leastMailboxes: 20,
    volume: (random, background) => ({
      hours: 4,
      recipientsPerHour: 300,
      mailboxes: random.sample(background.mailboxes, 10).map((one) => one.address),
    }),
    types: ['distributed_mailboxes'],
  }),
];
