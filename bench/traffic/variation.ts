/**
 * What is different in a tenant's days from some day on: an attack, a newsletter, new people, another
 * time zone. Works on any background, generated or real, a day at a time, so that many variations can
 * be tried on one background.
 */

import { DAY_MS, HOUR_MS, MINUTE_MS, sortByTime, type TrafficMessage } from './message.ts';
import { Random } from './random.ts';

/** The background's messages of a day, counted from its start; none outside of it. */
export type DayOf = (day: number) => readonly TrafficMessage[];

export interface Variation {
  /** Messages on top, in any order. */
  extra: TrafficMessage[];
  /** Messages of a day in place of the background's; they stay where this is missing. */
  replace?: (day: number, background: DayOf) => TrafficMessage[];
}

/** One number in [0, 1) for a text: the same message is always chosen, or never. */
function chanceOf(text: string, seed: string): number {
  return new Random(`${seed}/${text}`).uniform();
}

function isInside(address: string, accepted: ReadonlySet<string>): boolean {
  return accepted.has(address.slice(address.lastIndexOf('@') + 1));
}

/** A copy as another person would have sent or got it: ids of its own, people renamed, some minutes away. */
function copyOf(
  message: TrafficMessage,
  random: Random,
  dayStartMs: number,
  rename: (address: string) => string,
): TrafficMessage {
  const movedMs = message.timeMs + Math.floor(random.between(-20, 20) * MINUTE_MS);
  return {
    ...message,
    traceId: random.guid(),
    messageId: `<${random.word().toString(36)}.copy${message.messageId.slice(1)}`,
    timeMs: Math.min(dayStartMs + DAY_MS - 1, Math.max(dayStartMs, movedMs)),
    sender: rename(message.sender),
    recipients: message.recipients.map((recipient) => ({ ...recipient, address: rename(recipient.address) })),
  };
}

export interface CopyOptions {
  seed: string;
  startMs: number;
  acceptedDomains: readonly string[];
  /** First and last day of the copies. */
  fromDay: number;
  toDay: number;
  /** Share of the messages that are copied. */
  share: number;
  /** Domain of the people in the copies; their own by default. */
  domain?: string;
}

/**
 * More people write and are written to: a share of the ordinary messages happens once more, with other
 * people of the tenant. Forwards and mail of servers are left alone.
 */
export function morePeople(options: CopyOptions): Variation {
  const accepted = new Set(options.acceptedDomains);
  const rename = (address: string): string => {
    if (!isInside(address, accepted)) return address;
    const at = address.lastIndexOf('@');
    return `new.${address.slice(0, at)}@${options.domain ?? address.slice(at + 1)}`;
  };
  return {
    extra: [],
    replace: (day, background) => {
      const messages = background(day).slice();
      if (day < options.fromDay || day > options.toDay) return messages;
      const random = new Random(`${options.seed}/copies/${day}`);
      const dayStartMs = options.startMs + day * DAY_MS;
      for (const message of background(day)) {
        const ordinary =
          message.connector === '' &&
          (isInside(message.sender, accepted) ||
            message.recipients.every((recipient) => isInside(recipient.address, accepted)));
        if (ordinary && random.chance(options.share)) messages.push(copyOf(message, random, dayStartMs, rename));
      }
      sortByTime(messages);
      return messages;
    },
  };
}

/**
 * Holidays, on which `restShare` of the mail is left, and after them one day with more than usual.
 * A forward goes or stays with the mail that it passes on.
 */
export function holidays(options: {
  seed: string;
  startMs: number;
  firstDay: number;
  lastDay: number;
  restShare: number;
  /** Relative volume of the day after; 1 is as usual. */
  dayAfter: number;
}): Variation {
  return {
    extra: [],
    replace: (day, background) => {
      const messages = background(day);
      if (day >= options.firstDay && day <= options.lastDay) {
        return messages.filter((message) => chanceOf(message.messageId, options.seed) < options.restShare);
      }
      if (day !== options.lastDay + 1) return messages.slice();
      const random = new Random(`${options.seed}/after`);
      const more: TrafficMessage[] = messages.slice();
      for (const message of messages) {
        if (chanceOf(message.messageId, options.seed) >= options.dayAfter - 1) continue;
        // One id for the copies of a mail and of its forwards, or the way in would be lost.
        more.push({
          ...message,
          traceId: random.guid(),
          messageId: `<after.${message.messageId.slice(1)}`,
          timeMs: Math.min(message.timeMs + 30_000, options.startMs + (day + 1) * DAY_MS - 1),
        });
      }
      sortByTime(more);
      return more;
    },
  };
}

/** From a day on everybody works some hours later (negative: earlier); the days at the seam lose or repeat nothing. */
export function otherHours(options: { startMs: number; fromDay: number; hours: number }): Variation {
  const shiftMs = options.hours * HOUR_MS;
  return {
    extra: [],
    replace: (day, background) => {
      if (day < options.fromDay) return background(day).slice();
      const startMs = options.startMs + day * DAY_MS;
      const moved: TrafficMessage[] = [];
      for (const from of [day - 1, day, day + 1]) {
        if (from < options.fromDay) continue;
        for (const message of background(from)) {
          const timeMs = message.timeMs + shiftMs;
          if (timeMs >= startMs && timeMs < startMs + DAY_MS) moved.push({ ...message, timeMs });
        }
      }
      sortByTime(moved);
      return moved;
    },
  };
}

/** A server is away for some hours; what it had is handed over within minutes afterwards. */
export function heldBack(options: {
  seed: string;
  sourceIp: string;
  startMs: number;
  fromMs: number;
  toMs: number;
  flushMinutes: number;
}): Variation {
  const firstDay = Math.floor((options.fromMs - options.startMs) / DAY_MS);
  const lastDay = Math.floor((options.toMs + options.flushMinutes * MINUTE_MS - options.startMs) / DAY_MS);
  const isHeld = (message: TrafficMessage): boolean =>
    message.fromIp === options.sourceIp && message.timeMs >= options.fromMs && message.timeMs < options.toMs;
  const flushed = (message: TrafficMessage): TrafficMessage => ({
    ...message,
    timeMs: Math.floor(
      options.toMs + chanceOf(message.traceId, `${options.seed}/flush`) * options.flushMinutes * MINUTE_MS,
    ),
  });
  return {
    extra: [],
    replace: (day, background) => {
      const startMs = options.startMs + day * DAY_MS;
      const messages = background(day).filter((message) => !isHeld(message));
      for (let from = firstDay; from <= lastDay; from++) {
        for (const message of background(from)) {
          if (!isHeld(message)) continue;
          const late = flushed(message);
          if (late.timeMs >= startMs && late.timeMs < startMs + DAY_MS) messages.push(late);
        }
      }
      sortByTime(messages);
      return messages;
    },
  };
}

/** A mailbox begins to forward what reaches it to an address outside. */
export function newForward(options: {
  seed: string;
  mailbox: string;
  target: string;
  targetIp: string;
  fromMs: number;
}): Variation {
  return {
    extra: [],
    replace: (day, background) => {
      const messages = background(day).slice();
      for (const message of background(day)) {
        if (message.timeMs < options.fromMs || message.sender === '<>') continue;
        const reached = message.recipients.some(
          (recipient) => recipient.address === options.mailbox && recipient.status === 'Delivered',
        );
        if (!reached) continue;
        const random = new Random(`${options.seed}/forward/${message.traceId}`);
        messages.push({
          ...message,
          traceId: random.guid(),
          recipients: [{ address: options.target, status: 'Delivered', toIp: options.targetIp }],
          direction: 'originating',
        });
      }
      sortByTime(messages);
      return messages;
    },
  };
}

/** Several variations at once: their messages on top add up; replacements follow each other. */
export function together(variations: readonly Variation[]): Variation {
  const replacing = variations.filter((variation) => variation.replace !== undefined);
  return {
    extra: variations.flatMap((variation) => variation.extra),
    replace:
      replacing.length === 0
        ? undefined
        : (day, background) =>
            replacing
              .reduce<DayOf>(
                (before, { replace }) =>
                  (one) =>
                    (replace as NonNullable<Variation['replace']>)(one, before),
                background,
              )(day)
              .slice(),
  };
}
