/**
 * Mail that is known and wanted: its rows are counted, against Microsoft's limits and in reports, but by
 * no series. An entry hides no attack: mail through a way in that is new counts like any other, and so does everything
 * an entry names once its mail is refused, or reaches what would raise the severity of an incident.
 */

import ipaddr from 'ipaddr.js';
import { AddressReader } from '../address.ts';
import type { AllowEntry } from '../feedback.ts';
import { KeyedHash } from '../hash.ts';
import type { IdTexts } from '../tenant.ts';

/** A day of mail of which this share was refused is no wanted mail, if it has so many rows. */
const REFUSED_SHARE = 0.3;
const REFUSED_ROWS = 20;
/** The day's recipients from which on an entry does not hide what follows; a tenth of the tenant's limit where it is known. */
export const ALLOWED_RECIPIENTS = 2000;
export const ALLOWED_SHARE_OF_LIMIT = 0.1;

/** A row that may be allowed, by ids of the dictionaries. */
export interface AllowedRow {
  domain: number;
  connector: number;
  source: number;
  senderLo: number;
  senderHi: number;
  isRefused: boolean;
  /** Its connector and source were seen more than 24 hours before, or the tenant is too young to tell. */
  isKnownWayIn: boolean;
}

/** What an entry has hidden. */
export interface AllowedVolume {
  recipients: number;
  /** Rows that it did not hide although they match, for the reasons above. */
  shown: number;
}

interface EntryDay {
  rows: number;
  refused: number;
}

export interface AllowListState {
  days: EntryDay[];
  volumes: AllowedVolume[];
}

export class AllowList {
  readonly #entries: readonly CompiledEntry[];
  readonly #most: number;
  /** Rows of the day, by entry. */
  #days: EntryDay[];
  #volumes: AllowedVolume[];

  /** `budget` is what the tenant may send in 24 hours; null where its licenses are unknown. */
  constructor(entries: readonly AllowEntry[], tenantKey: string, texts: IdTexts, budget: number | null) {
    this.#entries = entries.map((entry) => new CompiledEntry(entry, tenantKey, texts));
    this.#most = budget === null ? ALLOWED_RECIPIENTS : Math.floor(budget * ALLOWED_SHARE_OF_LIMIT);
    this.#days = entries.map(() => ({ rows: 0, refused: 0 }));
    this.#volumes = entries.map(() => ({ recipients: 0, shown: 0 }));
  }

  save(): AllowListState {
    return structuredClone({ days: this.#days, volumes: this.#volumes });
  }

  load(state: Readonly<AllowListState>): void {
    // Another list than the one that was saved begins to count anew.
    if (state.days.length !== this.#entries.length) return;
    this.#days = structuredClone(state.days);
    this.#volumes = structuredClone(state.volumes);
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** By entry, in the order of the list. */
  get volumes(): readonly AllowedVolume[] {
    return this.#volumes;
  }

  beginDay(): void {
    for (const day of this.#days) {
      day.rows = 0;
      day.refused = 0;
    }
  }

  /** Whether the first entry that names the row hides it. */
  hides(row: AllowedRow, timeMs: number): boolean {
    const index = this.#entries.findIndex((entry) => entry.matches(row, timeMs));
    if (index < 0) return false;
    const day = this.#days[index];
    day.rows++;
    if (row.isRefused) day.refused++;
    const isRefusedMail = day.rows >= REFUSED_ROWS && day.refused >= REFUSED_SHARE * day.rows;
    if (!row.isKnownWayIn || day.rows > this.#most || isRefusedMail) {
      this.#volumes[index].shown++;
      return false;
    }
    this.#volumes[index].recipients++;
    return true;
  }
}

const UNASKED = 0;
const MATCHES = 1;
const DIFFERS = 2;

class CompiledEntry {
  readonly #entry: AllowEntry;
  readonly #texts: IdTexts;
  readonly #mailbox: readonly [number, number] | null;
  readonly #network: Network | null;
  /** Answers by id of the dictionary. */
  readonly #domains: number[] = [];
  readonly #connectors: number[] = [];
  readonly #sources: number[] = [];

  constructor(entry: AllowEntry, tenantKey: string, texts: IdTexts) {
    this.#entry = entry;
    this.#texts = texts;
    this.#mailbox = entry.mailbox === null ? null : hashOf(entry.mailbox, tenantKey);
    this.#network = entry.address === null ? null : networkOf(entry.address);
  }

  matches(row: AllowedRow, timeMs: number): boolean {
    const { domain, connector, expiresMs } = this.#entry;
    if (expiresMs !== null && timeMs >= expiresMs) return false;
    const mailbox = this.#mailbox;
    if (mailbox !== null && (mailbox[0] !== row.senderLo || mailbox[1] !== row.senderHi)) return false;
    if (domain !== null && !answer(this.#domains, row.domain, () => this.#texts.domain(row.domain) === domain)) {
      return false;
    }
    if (
      connector !== null &&
      !answer(this.#connectors, row.connector, () => sameName(this.#texts.connector(row.connector), connector))
    ) {
      return false;
    }
    const network = this.#network;
    return (
      network === null || answer(this.#sources, row.source, () => isWithin(this.#texts.source(row.source), network))
    );
  }
}

/** Hash of a mailbox as the rows of the tenant carry it. */
function hashOf(mailbox: string, tenantKey: string): readonly [number, number] {
  const addresses = new AddressReader(new KeyedHash(tenantKey));
  const bytes = new TextEncoder().encode(mailbox);
  addresses.sender(bytes, 0, bytes.length);
  return [addresses.lo, addresses.hi];
}

/** Names of connectors are compared as Exchange does, without regard to case. */
function sameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

/** The answer for an id, asked once; never for 0, which stands for nothing. */
function answer(known: number[], id: number, ask: () => boolean): boolean {
  if (id === 0) return false;
  while (known.length <= id) known.push(UNASKED);
  if (known[id] === UNASKED) known[id] = ask() ? MATCHES : DIFFERS;
  return known[id] === MATCHES;
}

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** An address alone is the network of its full length. */
function networkOf(text: string): Network {
  if (text.includes('/')) return ipaddr.parseCIDR(text) as Network;
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function isWithin(source: string, [network, bits]: Network): boolean {
  if (!ipaddr.isValid(source)) return false;
  const address = ipaddr.process(source);
  return address.kind() === network.kind() && address.match(network, bits);
}
