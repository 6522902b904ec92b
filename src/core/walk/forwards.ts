/**
 * Forwards: outside mail that reached a mailbox here and leaves again with its foreign sender. A
 * *recognised* forward goes where this mailbox forwarded to on a sealed day before, once per way in,
 * so that a relay can neither hide behind a Bcc nor prime one.
 */

import { HashTable, type HashTableState } from '../hash-table.ts';
import { MESSAGE_ID_HI, MESSAGE_ID_LO, POSITION_HI, POSITION_LO, RECIPIENT_HI, RECIPIENT_LO } from '../record.ts';

/** A forward leaves within ten minutes of its way in. */
const WAY_IN_MS = 600_000;
const REMEMBERED_RECIPIENTS = 1000;
/** Ways in of one Message-ID that are looked at, the newest first: more would let one Message-ID cost its square. */
const LOOKED_AT = 256;
const ENTRY = 7;
const ENTRY_LINK = 6;

/** What a row that leaves is: no forward, a forward, or one that its mailbox is known for. */
export interface ForwardVerdict {
  /** Hash of the mailbox here that the message reached; only of a forward. */
  mailboxLo: number;
  mailboxHi: number;
  /** Where the row of the way in stands, whose recipient the mailbox is. */
  positionLo: number;
  positionHi: number;
  isForward: boolean;
  isRecognised: boolean;
}

interface ForwardSeen {
  mailboxLo: number;
  mailboxHi: number;
  recipientLo: number;
  recipientHi: number;
}

export interface ForwardsState {
  times: Float64Array;
  entries: Float64Array;
  heads: Float64Array;
  first: number;
  next: number;
  excused: Map<number, Set<string>>;
  known: Map<string, Map<string, number>>;
  today: ForwardSeen[];
  walked: { day: number; seen: ForwardSeen[] }[];
}

export class Forwards {
  /* Ways in of the last ten minutes: a ring in time order, chained by Message-ID. */
  #capacity = 1 << 10;
  #times: Float64Array = new Float64Array(this.#capacity);
  /** Message-ID lo, hi, mailbox lo, hi, position lo, hi, and the sequence before it in its chain plus 1. */
  #entries: Float64Array = new Float64Array(this.#capacity * ENTRY);
  #heads: Float64Array = new Float64Array(this.#capacity);
  #first = 0;
  #next = 0;
  /** Recipients that a way in has excused, by sequence of the way in. */
  #excused = new Map<number, Set<string>>();
  /** 1 where the way in at a place of the ring has excused somebody: few have. */
  #hasExcused = new Uint8Array(this.#capacity);

  /** Known forwards: mailbox → outside recipient → times used. */
  #known = new Map<string, Map<string, number>>();
  /** The mailboxes of `#known` by their hash: most ways in end here, and nothing need be spelled out. */
  #forwarders = new HashTable();
  /** Outside recipients of known forwards, whoever forwarded to them. */
  #targets = new HashTable();
  #today: ForwardSeen[] = [];
  #walked: { day: number; seen: ForwardSeen[] }[] = [];

  readonly #verdict: ForwardVerdict = {
    mailboxLo: 0,
    mailboxHi: 0,
    positionLo: 0,
    positionHi: 0,
    isForward: false,
    isRecognised: false,
  };

  save(): ForwardsState {
    return {
      times: this.#times.slice(),
      entries: this.#entries.slice(),
      heads: this.#heads.slice(),
      first: this.#first,
      next: this.#next,
      excused: copyOfSets(this.#excused),
      known: this.#known,
      today: this.#today.slice(),
      walked: this.#walked.slice(),
    };
  }

  load(state: Readonly<ForwardsState>): void {
    this.#capacity = state.times.length;
    this.#times = state.times.slice();
    this.#entries = state.entries.slice();
    this.#heads = state.heads.slice();
    this.#first = state.first;
    this.#next = state.next;
    this.#excused = copyOfSets(state.excused);
    this.#markExcused();
    if (this.#known !== state.known) this.#takeKnown(state.known);
    this.#today = state.today.slice();
    this.#walked = state.walked.slice();
  }

  #takeKnown(known: Map<string, Map<string, number>>): void {
    this.#known = known;
    this.#forwarders = new HashTable();
    this.#targets = new HashTable();
    for (const [mailbox, recipients] of known) {
      const [lo, hi] = mailbox.split('.').map(Number);
      this.#forwarders.set(lo, hi, 1);
      for (const recipient of recipients.keys()) {
        const [recipientLo, recipientHi] = recipient.split('.').map(Number);
        this.#targets.set(recipientLo, recipientHi, 1);
      }
    }
  }

  /** A message reached a mailbox of an accepted domain: the record whose first word is `words[base]`. */
  wayIn(timeMs: number, words: Uint32Array, base: number): void {
    const messageIdLo = words[base + MESSAGE_ID_LO];
    const messageIdHi = words[base + MESSAGE_ID_HI];
    if (messageIdLo === 0 && messageIdHi === 0) return;
    while (this.#first < this.#next && this.#times[this.#placeOf(this.#first)] < timeMs - WAY_IN_MS) {
      if (this.#hasExcused[this.#placeOf(this.#first)] === 1) this.#forgetExcused(this.#first);
      this.#first++;
    }
    if (this.#next - this.#first === this.#capacity) this.#grow();
    const sequence = this.#next++;
    const place = this.#placeOf(sequence);
    const chain = chainOf(messageIdLo, messageIdHi, this.#capacity);
    this.#times[place] = timeMs;
    const entries = this.#entries;
    const entry = place * ENTRY;
    entries[entry] = messageIdLo;
    entries[entry + 1] = messageIdHi;
    entries[entry + 2] = words[base + RECIPIENT_LO];
    entries[entry + 3] = words[base + RECIPIENT_HI];
    entries[entry + 4] = words[base + POSITION_LO];
    entries[entry + 5] = words[base + POSITION_HI];
    entries[entry + ENTRY_LINK] = this.#heads[chain];
    this.#heads[chain] = sequence + 1;
  }

  /** Judges a record that leaves with a foreign sender. The verdict is valid until the next call. */
  judge(timeMs: number, words: Uint32Array, base: number): Readonly<ForwardVerdict> {
    const verdict = this.#verdict;
    verdict.isForward = false;
    verdict.isRecognised = false;
    const messageIdLo = words[base + MESSAGE_ID_LO];
    const messageIdHi = words[base + MESSAGE_ID_HI];
    if (messageIdLo === 0 && messageIdHi === 0) return verdict;
    // Spelled out where it is first needed: most mail that leaves has no way in, or none that is known.
    let recipient = '';
    let link = this.#heads[chainOf(messageIdLo, messageIdHi, this.#capacity)];
    // The oldest way in that may excuse the recipient is taken; chains run from the newest.
    let taken = -1;
    let looked = 0;
    while (link > this.#first && looked++ < LOOKED_AT && this.#times[this.#placeOf(link - 1)] >= timeMs - WAY_IN_MS) {
      const sequence = link - 1;
      const entry = this.#placeOf(sequence) * ENTRY;
      link = this.#entries[entry + ENTRY_LINK];
      if (this.#entries[entry] !== messageIdLo || this.#entries[entry + 1] !== messageIdHi) continue;
      const mailboxLo = this.#entries[entry + 2];
      const mailboxHi = this.#entries[entry + 3];
      let excuses = false;
      if (this.#forwarders.get(mailboxLo, mailboxHi) !== undefined) {
        if (recipient === '') recipient = `${words[base + RECIPIENT_LO]}.${words[base + RECIPIENT_HI]}`;
        const isKnown = this.#known.get(`${mailboxLo}.${mailboxHi}`)?.has(recipient) ?? false;
        excuses = isKnown && !this.#excused.get(sequence)?.has(recipient);
      }
      if (verdict.isRecognised && !excuses) continue;
      verdict.isForward = true;
      verdict.isRecognised = excuses;
      verdict.mailboxLo = mailboxLo;
      verdict.mailboxHi = mailboxHi;
      verdict.positionLo = this.#entries[entry + 4];
      verdict.positionHi = this.#entries[entry + 5];
      if (excuses) taken = sequence;
    }
    if (taken >= 0) {
      const excused = this.#excused.get(taken);
      if (excused === undefined) {
        this.#excused.set(taken, new Set([recipient]));
        this.#hasExcused[this.#placeOf(taken)] = 1;
      } else excused.add(recipient);
    }
    if (verdict.isForward) {
      this.#today.push({
        mailboxLo: verdict.mailboxLo,
        mailboxHi: verdict.mailboxHi,
        recipientLo: words[base + RECIPIENT_LO],
        recipientHi: words[base + RECIPIENT_HI],
      });
    }
    return verdict;
  }

  /** Whether some mailbox here forwarded to this recipient on a sealed day. */
  isTarget(recipientLo: number, recipientHi: number): boolean {
    return this.#targets.get(recipientLo, recipientHi) !== undefined;
  }

  endDay(day: number): void {
    this.#walked.push({ day, seen: this.#today });
    this.#today = [];
  }

  /** Learns where mailboxes forwarded to on a sealed day; of each mailbox the most used recipients are kept. */
  seal(day: number): void {
    if (this.#walked[0]?.day !== day) return;
    // Saved states share what is known: it is replaced, never changed.
    const known = new Map(this.#known);
    const touched = new Map<string, Map<string, number>>();
    for (const seen of this.#walked[0].seen) {
      const mailbox = `${seen.mailboxLo}.${seen.mailboxHi}`;
      const recipient = `${seen.recipientLo}.${seen.recipientHi}`;
      const recipients = touched.get(mailbox) ?? new Map(known.get(mailbox));
      recipients.set(recipient, (recipients.get(recipient) ?? 0) + 1);
      touched.set(mailbox, recipients);
      this.#forwarders.set(seen.mailboxLo, seen.mailboxHi, 1);
      this.#targets.set(seen.recipientLo, seen.recipientHi, 1);
    }
    this.#walked.shift();
    for (const [mailbox, recipients] of touched) known.set(mailbox, mostUsed(recipients));
    this.#known = known;
  }

  /** The place of a sequence number in the ring, whose capacity is a power of two. */
  #placeOf(sequence: number): number {
    return sequence & (this.#capacity - 1);
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const times = new Float64Array(capacity);
    const entries = new Float64Array(capacity * ENTRY);
    const heads = new Float64Array(capacity);
    for (let sequence = this.#first; sequence < this.#next; sequence++) {
      const from = this.#placeOf(sequence) * ENTRY;
      const place = sequence & (capacity - 1);
      times[place] = this.#times[this.#placeOf(sequence)];
      entries.set(this.#entries.subarray(from, from + ENTRY_LINK), place * ENTRY);
      const chain = chainOf(entries[place * ENTRY], entries[place * ENTRY + 1], capacity);
      entries[place * ENTRY + ENTRY_LINK] = heads[chain];
      heads[chain] = sequence + 1;
    }
    this.#times = times;
    this.#entries = entries;
    this.#heads = heads;
    this.#capacity = capacity;
    this.#markExcused();
  }

  #forgetExcused(sequence: number): void {
    this.#excused.delete(sequence);
    this.#hasExcused[this.#placeOf(sequence)] = 0;
  }

  #markExcused(): void {
    this.#hasExcused = new Uint8Array(this.#capacity);
    for (const sequence of this.#excused.keys()) this.#hasExcused[this.#placeOf(sequence)] = 1;
  }
}

/** Of too many recipients those that were used most. */
function mostUsed(recipients: Map<string, number>): Map<string, number> {
  if (recipients.size <= REMEMBERED_RECIPIENTS) return recipients;
  const ordered = [...recipients].sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  return new Map(ordered.slice(0, REMEMBERED_RECIPIENTS));
}

function copyOfSets(sets: ReadonlyMap<number, ReadonlySet<string>>): Map<number, Set<string>> {
  return new Map([...sets].map(([key, members]) => [key, new Set(members)]));
}

function chainOf(lo: number, hi: number, capacity: number): number {
  return (Math.imul(lo, 0x9e3779b1) ^ hi) & (capacity - 1);
}

const CORRESPONDENT_MS = 7 * 86_400_000;
/** Writers that are put into the table together. */
const WAITING = 256;

/** Outside people who wrote to an address here in the last seven days: what a true NDR answers to. */
export class Correspondents {
  readonly #lastWrote = new HashTable();
  /* The last writers wait here: the table outgrows the caches of a processor, and the waits for memory of
   * many writers overlap where nothing else is done between them. */
  readonly #waitingLo = new Uint32Array(WAITING);
  readonly #waitingHi = new Uint32Array(WAITING);
  readonly #waitingMs = new Float64Array(WAITING);
  #waiting = 0;

  save(): HashTableState {
    this.#takeWaiting();
    return this.#lastWrote.save();
  }

  load(state: Readonly<HashTableState>): void {
    this.#waiting = 0;
    this.#lastWrote.load(state);
  }

  wrote(timeMs: number, senderLo: number, senderHi: number): void {
    const place = this.#waiting++;
    this.#waitingLo[place] = senderLo;
    this.#waitingHi[place] = senderHi;
    this.#waitingMs[place] = timeMs;
    if (this.#waiting === WAITING) this.#takeWaiting();
  }

  /** Whether a null sender's mail to this recipient answers mail of the seven days before. */
  isKnown(timeMs: number, recipientLo: number, recipientHi: number): boolean {
    this.#takeWaiting();
    const wrote = this.#lastWrote.get(recipientLo, recipientHi);
    return wrote !== undefined && wrote >= timeMs - CORRESPONDENT_MS;
  }

  forgetBefore(dayStartMs: number): void {
    this.#takeWaiting();
    this.#lastWrote.forgetBelow(dayStartMs - CORRESPONDENT_MS);
  }

  #takeWaiting(): void {
    for (let place = 0; place < this.#waiting; place++) {
      this.#lastWrote.set(this.#waitingLo[place], this.#waitingHi[place], this.#waitingMs[place]);
    }
    this.#waiting = 0;
  }
}

const MESSAGE_MS = 86_400_000;
const WEIGHED_RECIPIENTS = 5;
/** A time and a count of up to six share one number: whole milliseconds times eight stay exact. */
const COUNT_STEPS = 8;

/** The weight of rows: the first five external recipients of a message count, remembered 24 h from its first row. */
export class MessageWeights {
  readonly #messages = new HashTable();

  save(): HashTableState {
    return this.#messages.save();
  }

  load(state: Readonly<HashTableState>): void {
    this.#messages.load(state);
  }

  /** 1 for the first five external recipients of a message, else 0. */
  weigh(timeMs: number, messageLo: number, messageHi: number): number {
    const slot = this.#messages.slotOf(messageLo, messageHi);
    const known = this.#messages.valueAt(slot);
    const firstMs = Math.floor(known / COUNT_STEPS);
    // A message that is new is not known: NaN is not later than anything.
    if (!(firstMs > timeMs - MESSAGE_MS)) {
      this.#messages.setValueAt(slot, timeMs * COUNT_STEPS + 1);
      return 1;
    }
    // Not `%`: the remainder of doubles is a call, and this runs for every row that leaves.
    if (known - firstMs * COUNT_STEPS >= WEIGHED_RECIPIENTS) return 0;
    this.#messages.setValueAt(slot, known + 1);
    return 1;
  }

  /** Forgets messages whose first row is 24 h or more before the day. */
  forgetBefore(dayStartMs: number): void {
    this.#messages.forgetBelow((dayStartMs - MESSAGE_MS + 1) * COUNT_STEPS);
  }
}
