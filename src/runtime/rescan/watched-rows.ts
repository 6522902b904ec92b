/** Rows of stored evidence, looked for among the rows of a rescan. */

import { AddressReader } from '../../core/address.ts';
import { KeyedHash } from '../../core/hash.ts';
import type { EvidenceRow } from '../../core/incident-document.ts';
import { MESSAGE_HI, MESSAGE_LO, RECIPIENT_HI, RECIPIENT_LO } from '../../core/record.ts';

type WatchedRow = Pick<EvidenceRow, 'message_trace_id' | 'recipient' | 'at'>;

/** What is looked at of a row: its recipient, and its message or, of a row without a network message id, its time. */
interface Watched {
  recipientHi: number;
  message: { lo: number; hi: number } | null;
  timeMs: number;
  wasSeen: boolean;
}

const ENCODER = new TextEncoder();

export class WatchedRows {
  readonly #byRecipient = new Map<number, Watched[]>();
  readonly #byText = new Map<string, Watched>();
  readonly #time = new Float64Array(1);
  readonly #timeWords = new Uint32Array(this.#time.buffer);

  /** Hashes the rows as rows of exports of that tenant are hashed. */
  constructor(tenantKey: string, rows: Iterable<WatchedRow>) {
    const hash = new KeyedHash(tenantKey);
    const addresses = new AddressReader(hash);
    for (const row of rows) {
      if (this.#byText.has(textOf(row))) continue;
      const recipient = ENCODER.encode(row.recipient);
      if (!addresses.recipient(recipient, 0, recipient.length)) continue;
      const { lo, hi: recipientHi } = addresses;
      const watched = {
        recipientHi,
        message: messageOf(hash, row.message_trace_id),
        timeMs: Date.parse(row.at),
        wasSeen: false,
      };
      this.#byText.set(textOf(row), watched);
      const others = this.#byRecipient.get(lo);
      if (others === undefined) this.#byRecipient.set(lo, [watched]);
      else others.push(watched);
    }
  }

  /** A merged pair, whose record begins at `base`. */
  see(words: Uint32Array, base: number): void {
    const candidates = this.#byRecipient.get(words[base + RECIPIENT_LO]);
    if (candidates === undefined) return;
    for (const watched of candidates) {
      if (watched.recipientHi !== words[base + RECIPIENT_HI]) continue;
      const { message } = watched;
      watched.wasSeen ||=
        message === null
          ? this.#timeAt(words, base) === watched.timeMs
          : message.lo === words[base + MESSAGE_LO] && message.hi === words[base + MESSAGE_HI];
    }
  }

  wasSeen(row: WatchedRow): boolean {
    return this.#byText.get(textOf(row))?.wasSeen ?? false;
  }

  /** The event time is the double in the first two words. */
  #timeAt(words: Uint32Array, base: number): number {
    this.#timeWords[0] = words[base];
    this.#timeWords[1] = words[base + 1];
    return this.#time[0];
  }
}

/** Evidence has network message ids in the form in which they are compared. */
function messageOf(hash: KeyedHash, messageTraceId: string): { lo: number; hi: number } | null {
  if (messageTraceId === '') return null;
  const bytes = ENCODER.encode(messageTraceId);
  hash.lowerCaseWithoutDashes(bytes, 0, bytes.length);
  return { lo: hash.lo, hi: hash.hi };
}

function textOf({ message_trace_id: id, recipient, at }: WatchedRow): string {
  return `${id} ${recipient}${id === '' ? ` ${at}` : ''}`;
}
