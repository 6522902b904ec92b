/**
 * What the cells of an export say, byte by byte: shared by the extraction of rows and by the reading
 * of single rows again, so that both see the same.
 */

import { findEither } from '../core/find-bytes.ts';
import {
  STATUS_DELIVERED,
  STATUS_EXPANDED,
  STATUS_FAILED,
  STATUS_FILTERED_AS_SPAM,
  STATUS_PENDING,
  STATUS_UNKNOWN,
} from '../core/record.ts';
import type { RecordView } from '../readers/reader.ts';

const STATUS_GETTING_STATUS = 1;
const STATUS_QUARANTINED = 6;

/** Bounds of the text that the last trimming left. */
export const trimmed = { start: 0, end: 0 };

/** Trims blanks and control characters. */
export function trimBlanks(bytes: Uint8Array, start: number, end: number): void {
  let from = start;
  let to = end;
  while (from < to && bytes[from] <= 0x20) from++;
  while (to > from && bytes[to - 1] <= 0x20) to--;
  trimmed.start = from;
  trimmed.end = to;
}

/** Trims blanks and the angle brackets of a Message-ID, which some exports leave out. */
export function trimMessageId(bytes: Uint8Array, start: number, end: number): void {
  let from = start;
  let to = end;
  while (from < to && (bytes[from] <= 0x20 || bytes[from] === 0x3c)) from++;
  while (to > from && (bytes[to - 1] <= 0x20 || bytes[to - 1] === 0x3e)) to--;
  trimmed.start = from;
  trimmed.end = to;
}

/**
 * Trims a network message id. Leaves nothing of ids that name no message: only zeros and dashes,
 * which would make one message of all that carry them.
 */
export function trimMessageTraceId(bytes: Uint8Array, start: number, end: number): void {
  trimBlanks(bytes, start, end);
  for (let i = trimmed.start; i < trimmed.end; i++) if (bytes[i] !== 0x30 && bytes[i] !== 0x2d) return;
  trimmed.end = trimmed.start;
}

const STATUS_WORDS: readonly [string, number][] = [
  ['none', STATUS_UNKNOWN],
  ['unknown', STATUS_UNKNOWN],
  ['unknownfuturevalue', STATUS_UNKNOWN],
  ['gettingstatus', STATUS_GETTING_STATUS],
  ['pending', STATUS_PENDING],
  ['expanded', STATUS_EXPANDED],
  ['delivered', STATUS_DELIVERED],
  ['filteredasspam', STATUS_FILTERED_AS_SPAM],
  ['quarantined', STATUS_QUARANTINED],
  ['failed', STATUS_FAILED],
  // What Elastic's integration makes of Delivered and Failed.
  ['success', STATUS_DELIVERED],
  ['failure', STATUS_FAILED],
];
const STATUS_BYTES = bytesOf(STATUS_WORDS);

/**
 * The status that a cell's word names (Get-MessageTraceV2, Status; `None` and `Unknown` of older
 * tools), whatever its case and blanks; unknown for an empty cell, -1 for a word of another kind.
 */
export function statusOfWord(bytes: Uint8Array, start: number, end: number): number {
  return wordIn(STATUS_WORDS, STATUS_BYTES, bytes, start, end);
}

function bytesOf(words: readonly [string, number][]): Uint8Array[] {
  return words.map(([word]) => new TextEncoder().encode(word));
}

/** The number of the word in a cell; unknown for an empty cell, -1 for a word that is not listed. */
function wordIn(
  words: readonly [string, number][],
  spelled: readonly Uint8Array[],
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  trimBlanks(bytes, start, end);
  if (trimmed.start === trimmed.end) return STATUS_UNKNOWN;
  for (let i = 0; i < spelled.length; i++) {
    const word = spelled[i];
    if (word[0] === (bytes[trimmed.start] | 0x20) && isWord(bytes, trimmed.start, trimmed.end, word)) {
      return words[i][1];
    }
  }
  return -1;
}

/** Compares letters without case; blanks and underscores between them do not count. */
function isWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  let at = 0;
  for (let i = start; i < end; i++) {
    if (bytes[i] === 0x20 || bytes[i] === 0x5f) continue;
    if (at === word.length || (bytes[i] | 0x20) !== word[at]) return false;
    at++;
  }
  return at === word.length;
}

/** Beside a status of three bits: the events say that the message was sent on, and not that it was delivered here. */
export const EVENTS_SENT_ON = 8;

/**
 * The status behind the events of one recipient, `Receive, Send`: the highest, in the order of
 * merging, of those that say how it ended, and EVENTS_SENT_ON. Receive, Submit, Transfer and the like
 * say nothing.
 */
export function statusOfEvents(bytes: Uint8Array, start: number, end: number): number {
  let status = STATUS_UNKNOWN;
  let sent = 0;
  let i = start;
  while (i < end) {
    while (i < end && (bytes[i] <= 0x20 || bytes[i] === 0x2c)) i++;
    if (i + 1 >= end) break;
    const found = statusOfEvent(bytes[i] | 0x20, bytes[i + 1] | 0x20, i + 2 < end ? bytes[i + 2] | 0x20 : 0);
    if (found > status) status = found;
    // `Deliver` into a mailbox here is stronger than `Send` to the next server.
    if (found === STATUS_DELIVERED) sent |= (bytes[i] | 0x20) === 0x73 ? 1 : 2;
    while (i < end && bytes[i] !== 0x2c) i++;
  }
  return sent === 1 ? status | EVENTS_SENT_ON : status;
}

/** By the first letters, which tell the events apart that end something. */
function statusOfEvent(first: number, second: number, third: number): number {
  switch (first) {
    case 0x73: // Send, Send external; Spam
      return second === 0x65 ? STATUS_DELIVERED : second === 0x70 ? STATUS_FILTERED_AS_SPAM : STATUS_UNKNOWN;
    case 0x64: // Deliver; Defer
      if (second !== 0x65) return STATUS_UNKNOWN;
      return third === 0x6c ? STATUS_DELIVERED : third === 0x66 ? STATUS_PENDING : STATUS_UNKNOWN;
    case 0x66: // Fail; FilteredAsSpam
      return second === 0x61 ? STATUS_FAILED : second === 0x69 ? STATUS_FILTERED_AS_SPAM : STATUS_UNKNOWN;
    case 0x65: // Expand
      return second === 0x78 ? STATUS_EXPANDED : STATUS_UNKNOWN;
    case 0x71: // Quarantine
      return second === 0x75 ? STATUS_QUARANTINED : STATUS_UNKNOWN;
    case 0x70: // Pending
      return second === 0x65 ? STATUS_PENDING : STATUS_UNKNOWN;
    default:
      return STATUS_UNKNOWN;
  }
}

/** Where a message ended (Microsoft, EmailEvents: DeliveryLocation). What left for another server was sent on. */
const LOCATION_WORDS: readonly [string, number][] = [
  ['unknown', STATUS_UNKNOWN],
  ['inbox/folder', STATUS_DELIVERED],
  ['inbox', STATUS_DELIVERED],
  ['on-premises/external', STATUS_DELIVERED | EVENTS_SENT_ON],
  ['deleteditems', STATUS_DELIVERED],
  ['deleteditemsfolder', STATUS_DELIVERED],
  ['junk', STATUS_FILTERED_AS_SPAM],
  ['junkfolder', STATUS_FILTERED_AS_SPAM],
  ['quarantine', STATUS_QUARANTINED],
  ['failed', STATUS_FAILED],
  ['dropped', STATUS_FAILED],
];
const LOCATION_BYTES = bytesOf(LOCATION_WORDS);

/** What was done with a message (the same page: DeliveryAction). `Replaced`: delivered without its attachments. */
const ACTION_WORDS: readonly [string, number][] = [
  ['unknown', STATUS_UNKNOWN],
  ['delivered', STATUS_DELIVERED],
  ['replaced', STATUS_DELIVERED],
  ['junked', STATUS_FILTERED_AS_SPAM],
  ['deliveredasspam', STATUS_FILTERED_AS_SPAM],
  ['blocked', STATUS_FAILED],
];
const ACTION_BYTES = bytesOf(ACTION_WORDS);

/**
 * The status behind the location and the action of a row, and EVENTS_SENT_ON. The location says more, so it
 * counts where it is known; -1 where there are words and none of them is. Columns may be -1.
 */
export function statusOfDelivery({ bytes, starts, ends }: RecordView, location: number, action: number): number {
  const where = location < 0 ? 0 : wordIn(LOCATION_WORDS, LOCATION_BYTES, bytes, starts[location], ends[location]);
  if (where > 0) return where;
  const what = action < 0 ? 0 : wordIn(ACTION_WORDS, ACTION_BYTES, bytes, starts[action], ends[action]);
  return what === STATUS_UNKNOWN ? where : what;
}

/** Bounds of one recipient of a `recipient_status` cell, and of its events. */
export const recipientPart = { start: 0, end: 0, eventsStart: 0, eventsEnd: 0, next: 0 };

/**
 * The recipient that begins at `from` in a cell like `ann@a.example##Receive, Send;bob@b.example##Receive,
 * Fail` that ends at `end`; `recipientPart.next` is where the next begins. A `;` in a quoted local
 * part splits nothing.
 */
export function splitRecipient(bytes: Uint8Array, from: number, end: number): void {
  let i = from;
  while (i < end && bytes[i] <= 0x20) i++;
  const start = i;
  if (i < end && bytes[i] === 0x22) {
    let quote = i + 1;
    while (quote < end && bytes[quote] !== 0x22) quote += bytes[quote] === 0x5c ? 2 : 1;
    if (quote + 1 < end && bytes[quote + 1] === 0x40) i = quote + 1;
  }
  let marks = -1;
  for (; i < end; i++) {
    const byte = bytes[i];
    if (byte === 0x3b) break;
    if (byte === 0x23 && marks < 0 && i + 1 < end && bytes[i + 1] === 0x23) marks = i;
  }
  recipientPart.start = start;
  recipientPart.end = marks < 0 ? i : marks;
  recipientPart.eventsStart = marks < 0 ? i : marks + 2;
  recipientPart.eventsEnd = i;
  recipientPart.next = i + 1;
}

const MARK = 0x23;
const SEMICOLON = 0x3b;
const QUOTE = 0x22;
/** Texts of events kept, and their lengths: four are nearly all rows, and the lengths hold the usual lists. */
const KNOWN_EVENTS = 4;
const SHORTEST_EVENTS = 4;
const LONGEST_EVENTS = 64;

interface KnownEvents {
  /** A view of the text. */
  words: DataView;
  status: number;
}

/** Reads the recipients of a `recipient_status` cell and remembers texts of events, of which a tenant has a handful. */
export class RecipientReader {
  /** What `statusOfEvents` says of the recipient read last. */
  status = 0;
  readonly #known: KnownEvents[] = [];

  /** Fills `recipientPart` as `splitRecipient` does, and `status`. `words` is a view of `bytes`. */
  read(words: DataView, bytes: Uint8Array, from: number, end: number): void {
    if (from < end && bytes[from] > 0x20 && bytes[from] !== QUOTE) {
      const mark = findEither(words, bytes, from, end, MARK, SEMICOLON);
      const eventsStart = mark + 2;
      if (eventsStart < end && bytes[mark] === MARK && bytes[mark + 1] === MARK) {
        for (const known of this.#known) {
          const eventsEnd = eventsStart + known.words.byteLength;
          if (eventsEnd > end || (eventsEnd < end && bytes[eventsEnd] !== SEMICOLON)) continue;
          if (!startsWith(words, eventsStart, known.words)) continue;
          recipientPart.start = from;
          recipientPart.end = mark;
          recipientPart.eventsStart = eventsStart;
          recipientPart.eventsEnd = eventsEnd;
          recipientPart.next = eventsEnd + 1;
          this.status = known.status;
          return;
        }
      }
    }
    splitRecipient(bytes, from, end);
    const { eventsStart, eventsEnd } = recipientPart;
    this.status = statusOfEvents(bytes, eventsStart, eventsEnd);
    const length = eventsEnd - eventsStart;
    if (this.#known.length < KNOWN_EVENTS && length >= SHORTEST_EVENTS && length <= LONGEST_EVENTS) {
      const copy = bytes.slice(eventsStart, eventsEnd);
      this.#known.push({ words: new DataView(copy.buffer), status: this.status });
    }
  }
}

/** Whether the bytes from `start` on are those of `text`, which has at least four. */
function startsWith(words: DataView, start: number, text: DataView): boolean {
  const last = text.byteLength - 4;
  for (let i = 0; i < last; i += 4) if (words.getInt32(start + i) !== text.getInt32(i)) return false;
  return words.getInt32(start + last) === text.getInt32(last);
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/** The start of a cell for a message to people: at most 60 characters, nothing that a terminal would act on. */
export function excerpt(bytes: Uint8Array, start: number, end: number): string {
  const text = DECODER.decode(bytes.subarray(start, Math.min(end, start + 240)));
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '\ufffd');
  const characters = Array.from(clean);
  return characters.length > 60 || end > start + 240 ? `${characters.slice(0, 60).join('')}…` : clean;
}
