/** Harmless things that look like abuse: B1 to B13. */

import type { IncidentType } from '../../../src/core/incident-document.ts';
import { backscatter, boughtCompany, forwardingLoop, massMailing } from '../../traffic/look-alike.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../traffic/message.ts';
import { externalIp, personName } from '../../traffic/names.ts';
import type { Random } from '../../traffic/random.ts';
import { heldBack, holidays, morePeople, newForward, otherHours, type Variation } from '../../traffic/variation.ts';
import type { BackgroundKind, OpenBackground } from '../backgrounds.ts';
import type { BackgroundFacts } from '../facts.ts';
import { lookAlikeMetrics } from '../metrics.ts';
import type { Happening, LookAlike, Scenario } from '../scenario.ts';
import { anyDay } from '../starts.ts';

interface LookAlikeOptions {
  id: string;
  title: string;
  /** Days from the first to the last on which anything is different. */
  days: number;
  /** Day of the week on which it begins, 0 for Monday; any by default. */
  weekday?(random: Random): number;
  make(random: Random, background: OpenBackground, facts: BackgroundFacts, day: number): Happening | null;
  most?: number;
  byName?: boolean;
  runsOn?(kind: BackgroundKind): boolean;
  reportedOnly?: boolean;
}

function lookAlike(options: LookAlikeOptions): Scenario {
  return {
    id: options.id,
    title: options.title,
    runsOn: (kind) =>
      (kind.pool === 'generated' || kind.pool === 'real' || kind.pool === '10k') && (options.runsOn?.(kind) ?? true),
    plan: (random, background) => {
      const first = anyDay(random, background, 28, options.days + 6);
      if (first === null) return null;
      const weekday = options.weekday?.(random);
      const day =
        weekday === undefined
          ? first
          : first + ((weekday + 7 - ((Math.floor(background.startMs / DAY_MS) + first + 3) % 7)) % 7);
      return {
        fromDay: day,
        toDay: Math.min(background.days, day + options.days + 3),
        build: (facts) => options.make(random, background, facts, day) ?? { variation: { extra: [] }, attacks: [] },
      };
    },
    measure: (outcomes) => {
      const metrics = lookAlikeMetrics(outcomes, {
        most: options.most ?? 1,
        byName: options.byName ?? false,
        labelled: false,
      });
      return options.reportedOnly ? metrics.map(({ name, interval }) => ({ name, interval })) : metrics;
    },
  };
}

function harmless(
  variation: Variation,
  occurrences: LookAlike['occurrences'],
  types: readonly IncidentType[] = [],
): Happening {
  return { variation, attacks: [], lookAlike: { occurrences, types } };
}

/** Weekday hours in which people send mailings. */
function officeTime(random: Random, background: OpenBackground, day: number): number {
  return background.startMs + day * DAY_MS + Math.floor(random.between(7, 16) * HOUR_MS);
}

function onWeekday(random: Random): number {
  return random.integer(0, 4);
}

function mailing(options: {
  id: string;
  title: string;
  sender: string;
  recipients: number;
  minutes: number;
  every: number;
  times: number;
  subject: string;
}): Scenario {
  return lookAlike({
    id: options.id,
    title: options.title,
    days: options.every * (options.times - 1) + 1,
    weekday: onWeekday,
    make: (random, background, _facts, day) => {
      const firstMs = officeTime(random, background, day);
      const starts = Array.from(
        { length: options.times },
        (_, index) => firstMs + index * options.every * DAY_MS + Math.floor(random.between(-20, 20) * MINUTE_MS),
      );
      const extra = starts.flatMap((startMs) =>
        massMailing({
          seed: random.seed,
          sender: `${options.sender}@${background.acceptedDomains[0]}`,
          recipients: options.recipients,
          startMs,
          minutes: options.minutes,
          subject: options.subject,
        }),
      );
      const occurrences = starts.map((startMs) => ({ startMs, endMs: startMs + options.minutes * MINUTE_MS }));
      return {
        ...harmless({ extra }, occurrences),
        labels: (documents) =>
          documents
            .filter((incident) => Date.parse(incident.relaywatch.incident.detected_at) < starts[0] + DAY_MS)
            .map((incident) => ({
              incident: incident.event.id,
              verdict: 'benign',
              by: 'evaluation',
              at: new Date(starts[0] + DAY_MS).toISOString(),
              note: options.title,
            })),
      };
    },
  });
}

/** Two weeks in which everybody behaves otherwise. */
function overTwoWeeks(
  id: string,
  title: string,
  weekday: number,
  make: (random: Random, background: OpenBackground, day: number) => Variation,
  more: { most?: number; types?: readonly IncidentType[] } = {},
): Scenario {
  return lookAlike({
    id,
    title,
    days: 14,
    weekday: () => weekday,
    most: more.most,
    make: (random, background, _facts, day) => {
      const startMs = background.startMs + day * DAY_MS;
      return harmless(make(random, background, day), [{ startMs, endMs: startMs + 14 * DAY_MS }], more.types);
    },
  });
}

function people(share: number): (random: Random, background: OpenBackground, day: number) => Variation {
  return (random, background, day) =>
    morePeople({
      seed: random.seed,
      startMs: background.startMs,
      acceptedDomains: background.acceptedDomains,
      fromDay: day,
      toDay: day + 20,
      share,
    });
}

const SUNDAY = 6;

export const LOOK_ALIKE_SCENARIOS: Scenario[] = [
  mailing({
    id: 'B1',
    title: 'Monthly newsletter, 400 in 20 minutes, three issues',
    sender: 'newsletter',
    recipients: 400,
    minutes: 20,
    every: 28,
    times: 3,
    subject: 'Our news',
  }),
  mailing({
    id: 'B2',
    title: 'Monthly payslips, 154 in 10 minutes, three months',
    sender: 'payroll',
    recipients: 154,
    minutes: 10,
    every: 28,
    times: 3,
    subject: 'Your payslip',
  }),
  mailing({
    id: 'B3',
    title: 'Weekly report, 120 in 5 minutes, five weeks',
    sender: 'reports',
    recipients: 120,
    minutes: 5,
    every: 7,
    times: 5,
    subject: 'Weekly report',
  }),
  lookAlike({
    id: 'B4',
    title: 'Mail merge by a new mailbox, 200 in an hour',
    days: 1,
    weekday: onWeekday,
    make: (random, background, _facts, day) => {
      const startMs = officeTime(random, background, day);
      const extra = massMailing({
        seed: random.seed,
        sender: `new.${personName(random)}@${background.acceptedDomains[0]}`,
        recipients: 200,
        startMs,
        minutes: 60,
        subject: 'Invitation',
      });
      return harmless({ extra }, [{ startMs, endMs: startMs + HOUR_MS }]);
    },
  }),
  overTwoWeeks('B5-half', 'Half as many people more from a Monday on', 0, people(0.5)),
  overTwoWeeks('B5-double', 'Twice as many people from a Monday on', 0, people(1)),
  lookAlike({
    id: 'B6',
    title: 'A week of holidays, then a Monday with 1.8 times the mail',
    days: 8,
    weekday: () => 0,
    make: (random, background, _facts, day) => {
      const afterMs = background.startMs + (day + 7) * DAY_MS;
      return harmless(
        holidays({
          seed: random.seed,
          startMs: background.startMs,
          firstDay: day,
          lastDay: day + 6,
          restShare: 0.15,
          dayAfter: 1.8,
        }),
        [{ startMs: afterMs, endMs: afterMs + DAY_MS }],
      );
    },
  }),
  overTwoWeeks('B7', 'Clocks change by an hour on a Sunday', SUNDAY, (random, background, day) =>
    otherHours({ startMs: background.startMs, fromDay: day, hours: random.pick([-1, 1]) }),
  ),
  overTwoWeeks(
    'B8',
    'The tenant moves by 8 time zones on a Monday',
    0,
    (random, background, day) => otherHours({ startMs: background.startMs, fromDay: day, hours: random.pick([-8, 8]) }),
    { most: 2 },
  ),
  lookAlike({
    id: 'B9',
    title: 'A new automatic forward doubles the unregistered mail',
    days: 10,
    make: (random, background, facts, day) => {
      const forwarding = new Set(
        background.mailboxes.filter((mailbox) => mailbox.forwardsTo.length > 0).map((mailbox) => mailbox.address),
      );
      const mailbox = facts.mailboxWithArrivals(facts.unregisteredPerDay, forwarding);
      if (mailbox === null) return null;
      const fromMs = background.startMs + day * DAY_MS + Math.floor(random.uniform() * DAY_MS);
      const target = `${mailbox.slice(0, mailbox.indexOf('@'))}.home@mymail.example.net`;
      return harmless(newForward({ seed: random.seed, mailbox, target, targetIp: externalIp(901), fromMs }), [
        { startMs: fromMs, endMs: fromMs + 10 * DAY_MS },
      ]);
    },
  }),
  overTwoWeeks(
    'B10',
    'A company is bought: its domain, accepted before, brings 60 % more mail',
    0,
    (random, background, day) =>
      morePeople({
        seed: random.seed,
        startMs: background.startMs,
        acceptedDomains: background.acceptedDomains,
        fromDay: day,
        toDay: day + 20,
        share: 0.6,
        domain: background.unusedDomain,
      }),
  ),
  lookAlike({
    id: 'B10-unregistered',
    title: 'A company is bought and its server sends before its domain is registered (reported only)',
    days: 10,
    weekday: () => 0,
    reportedOnly: true,
    make: (random, background, facts, day) => {
      const startMs = background.startMs + day * DAY_MS;
      const extra = boughtCompany({
        seed: random.seed,
        domain: 'bought-company.example',
        source: { ip: '192.0.2.90', connector: 'Inbound from Bought Company' },
        startMs,
        days: 10,
        rowsPerDay: Math.max(20, (facts.rows / Math.max(1, facts.days)) * 0.15),
        people: 25,
      });
      return harmless({ extra }, [{ startMs, endMs: startMs + 10 * DAY_MS }]);
    },
  }),
  lookAlike({
    id: 'B11',
    title: 'Two mailboxes forward to each other: each mail goes round 20 to 30 times',
    days: 1,
    byName: true,
    make: (random, background, _facts, day) => {
      const startMs = background.startMs + day * DAY_MS + Math.floor(random.uniform() * 0.9 * DAY_MS);
      const extra = forwardingLoop({
        seed: random.seed,
        mailbox: random.pick(background.mailboxes).address,
        startMs,
        mails: random.integer(3, 10),
        hops: random.integer(20, 30),
      });
      return harmless({ extra }, [{ startMs, endMs: startMs + 2 * HOUR_MS }], ['forwarding_loop']);
    },
  }),
  lookAlike({
    id: 'B12',
    title: 'A server that relays is away for 12 to 36 h and hands everything over within the hour',
    days: 3,
    byName: true,
    runsOn: (kind) => kind.id === 'hybrid',
    make: (random, background, _facts, day) => {
      const fromMs = officeTime(random, background, day);
      const toMs = fromMs + Math.floor(random.between(12, 36) * HOUR_MS);
      const flushMinutes = random.integer(10, 50);
      return harmless(
        heldBack({
          seed: random.seed,
          sourceIp: background.hybrid[0].ip,
          startMs: background.startMs,
          fromMs,
          toMs,
          flushMinutes,
        }),
        [{ startMs: toMs, endMs: toMs + flushMinutes * MINUTE_MS }],
        ['queue_flush'],
      );
    },
  }),
  lookAlike({
    id: 'B13',
    title: 'A server answers forged mail with 150 to 600 non-delivery reports in 2 to 6 h',
    days: 1,
    byName: true,
    make: (random, background, _facts, day) => {
      const startMs = background.startMs + day * DAY_MS + Math.floor(random.uniform() * 0.7 * DAY_MS);
      const hours = random.integer(2, 6);
      const own = background.hybrid[0];
      const extra = backscatter({
        seed: random.seed,
        domain: background.acceptedDomains[0],
        source: own ?? { ip: '192.0.2.70', connector: 'Inbound from DC1' },
        startMs,
        hours,
        reports: random.integer(150, 600),
        visibleShare: random.between(0.9, 1),
      });
      return harmless({ extra }, [{ startMs, endMs: startMs + hours * HOUR_MS }], ['backscatter']);
    },
  }),
];
