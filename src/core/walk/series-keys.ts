/** Dense keys of series, from 1; 0 is a row without that key. */

import { HashTable, type HashTableState } from '../hash-table.ts';

export interface DictionaryKeysState {
  /** Dictionary id by key; the first is key 0. */
  ids: number[];
}

/** Keys of a dictionary's ids: one key per id, or per text where several ids share one (addresses of a /64). */
export class DictionaryKeys {
  readonly #keyTextOf: (id: number) => string;
  readonly #shared: ((text: string) => boolean) | null;
  readonly #keyByText = new Map<string, number>();
  #keys = new Uint32Array(256);
  #ids: number[] = [0];

  /** `keyTextOf` names the key of an id; only keys whose text `isShared` are looked up by it. */
  constructor(keyTextOf: (id: number) => string, isShared: ((text: string) => boolean) | null = null) {
    this.#keyTextOf = keyTextOf;
    this.#shared = isShared;
  }

  save(): DictionaryKeysState {
    return { ids: this.#ids.slice() };
  }

  load(state: Readonly<DictionaryKeysState>): void {
    this.#ids = [0];
    this.#keys = new Uint32Array(256);
    this.#keyByText.clear();
    for (const id of state.ids.slice(1)) this.key(id);
  }

  key(id: number): number {
    if (id === 0) return 0;
    if (id >= this.#keys.length) {
      const keys = new Uint32Array(Math.max(id + 1, this.#keys.length * 2));
      keys.set(this.#keys);
      this.#keys = keys;
    }
    if (this.#keys[id] === 0) this.#keys[id] = this.#newKey(id);
    return this.#keys[id];
  }

  text(key: number): string {
    return this.#keyTextOf(this.#ids[key]);
  }

  #newKey(id: number): number {
    if (this.#shared !== null) {
      const text = this.#keyTextOf(id);
      if (this.#shared(text)) {
        const known = this.#keyByText.get(text);
        if (known !== undefined) return known;
        this.#keyByText.set(text, this.#ids.length);
      }
    }
    this.#ids.push(id);
    return this.#ids.length - 1;
  }
}

/** Where a mailbox's address stands: as the sender, or as the recipient, of the row at a position. */
export interface MailboxPlace {
  mailboxLo: number;
  mailboxHi: number;
  positionLo: number;
  positionHi: number;
  /** Message of that row; 0, 0 where the mailbox is its recipient. */
  messageLo: number;
  messageHi: number;
  /** Recipient of that row. */
  recipientLo: number;
  recipientHi: number;
  isRecipient: boolean;
}

export interface MailboxKeysState {
  keys: HashTableState;
  places: MailboxPlace[];
}

/** Keys of mailboxes by the hash of their address; the address itself is read again when it is shown. */
export class MailboxKeys {
  readonly #keys = new HashTable();
  #places: MailboxPlace[] = [];

  save(): MailboxKeysState {
    return { keys: this.#keys.save(), places: this.#places.slice() };
  }

  load(state: Readonly<MailboxKeysState>): void {
    this.#keys.load(state.keys);
    this.#places = state.places.slice();
  }

  /** The key of a mailbox, 0 for one that has none yet. */
  find(lo: number, hi: number): number {
    return this.#keys.get(lo, hi) ?? 0;
  }

  add(place: MailboxPlace): number {
    this.#places.push(place);
    this.#keys.set(place.mailboxLo, place.mailboxHi, this.#places.length);
    return this.#places.length;
  }

  place(key: number): MailboxPlace {
    return this.#places[key - 1];
  }
}

/** The /64 prefix of a canonical IPv6 address as its key; an IPv4 address is its own. */
export function sourceKeyText(address: string): string {
  if (!address.includes(':')) return address;
  const [head, tail] = address.split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':');
    while (groups.length + behind.length < 8) groups.push('0');
    groups.push(...behind);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
