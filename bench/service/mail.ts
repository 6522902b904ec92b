/**
 * Rows of an Enhanced summary for the benchmarks of the service: the mail of a tenant at any rate and at any
 * time, in envelopes as ingest workers make them. The same seed gives the same rows.
 */

import {
  ENVELOPE_ROWS,
  ENVELOPE_SCHEMA,
  type Envelope,
  type FileEndHeader,
  type RowsHeader,
} from '../../src/core/envelope.ts';
import type { TenantProfile } from '../../src/runtime/detect/tenant-detector.ts';
import { ENHANCED_SUMMARY_HEADER } from '../traffic/enhanced-summary-export.ts';
import { sortableTime } from '../traffic/export-text.ts';
import { externalDomain, externalIp, personName, subject } from '../traffic/names.ts';
import { Random } from '../traffic/random.ts';

export const TENANT = 'contoso';
export const DOMAIN = 'contoso.example';
export const PROFILE: TenantProfile = {
  settings: {
    key: TENANT,
    acceptedDomains: [{ name: DOMAIN, matchSubDomains: false }],
    licenses: null,
    timeZone: 'UTC',
  },
  organizations: [],
  evidenceRows: 10,
};

const MAILBOXES = 2_000;
const OUTSIDE_DOMAINS = 2_500;
const SERVER = { ip: '192.0.2.25', connector: 'Inbound from DC1' };
const PRIZE_DOMAIN = 'prize-desk.example';

export interface Row {
  timeMs: number;
  text: string;
}

export class Mail {
  readonly #random: Random;
  readonly #mailboxes: string[];
  #fresh = 0;

  constructor(seed: string) {
    this.#random = new Random(seed);
    this.#mailboxes = Array.from(
      { length: MAILBOXES },
      (_, number) => `${personName(this.#random)}${number}@${DOMAIN}`,
    );
  }

  /** A row as there are every day: half of them come in, a quarter stays inside, the others go out. */
  row(timeMs: number): Row {
    const random = this.#random;
    const share = random.uniform();
    if (share < 0.5) return this.#row(timeMs, this.#outside(), () => this.#inside(), 'Deliver', '1', '');
    const sender = this.#inside();
    if (share < 0.75) return this.#row(timeMs, sender, () => this.#inside(), 'Deliver', '2', '');
    return this.#row(timeMs, sender, () => this.#outside(), 'Send', '2', '');
  }

  /** A row that comes in from a domain and a server that were never there before. */
  freshRow(timeMs: number): Row {
    const number = OUTSIDE_DOMAINS + ++this.#fresh;
    const sender = `${personName(this.#random)}@${externalDomain(number)}`;
    return this.#row(timeMs, sender, () => this.#inside(), 'Deliver', '1', '', externalIp(number));
  }

  /** A row of an attack: a server of the tenant sends mail of a domain that is not the tenant's. */
  attackRow(timeMs: number, domain = PRIZE_DOMAIN, { ip, connector } = SERVER): Row {
    return this.#row(timeMs, `promo@${domain}`, () => this.#outside(), 'Send', '2', connector, ip);
  }

  /** Rows in order of time, evenly spread over `[fromMs, untilMs)`. */
  *over(fromMs: number, untilMs: number, count: number): Generator<Row> {
    for (let row = 0; row < count; row++) yield this.row(Math.floor(fromMs + ((untilMs - fromMs) * row) / count));
  }

  #row(
    timeMs: number,
    from: string,
    to: () => string,
    event: string,
    direction: string,
    connector: string,
    server?: string,
  ): Row {
    const random = this.#random;
    const count = random.chance(0.8) ? 1 : random.integer(2, 4);
    const recipients = Array.from({ length: count }, () => `${to()}##Receive, ${event}`).join(';');
    const usual = connector !== '' ? SERVER.ip : direction === '1' ? externalIp(random.integer(0, 3000)) : '';
    const ip = server ?? usual;
    const domain = from.slice(from.indexOf('@') + 1);
    const text =
      `${sortableTime(timeMs)}0000Z,${from},"${recipients}","${subject(random).replaceAll('"', '""')}",` +
      `${random.integer(2000, 90_000)},<${random.guid()}@mail.${domain}>,${random.guid()},${ip},${direction},` +
      `${connector},Normal\r\n`;
    return { timeMs, text };
  }

  #inside(): string {
    return this.#random.pick(this.#mailboxes);
  }

  #outside(): string {
    return `${personName(this.#random)}@${externalDomain(this.#random.integer(0, OUTSIDE_DOMAINS - 1))}`;
  }
}

/** Packs rows of one export into envelopes. */
export class Packer {
  readonly #file: RowsHeader['file'];
  readonly #tenant: string;
  #offset = ENHANCED_SUMMARY_HEADER.length + 2;
  #line = 2;

  constructor(name: string, tenant = TENANT) {
    this.#tenant = tenant;
    this.#file = { id: Buffer.from(name.padEnd(32, '.')).toString('hex').slice(0, 64), name };
  }

  /** One envelope of at most 500 rows. */
  pack(rows: readonly Row[]): Envelope {
    const payload = Buffer.from(rows.map(({ text }) => text).join(''));
    const header: RowsHeader = {
      kind: 'rows',
      schema: ENVELOPE_SCHEMA,
      tenant: this.#tenant,
      file: this.#file,
      layout: {
        format: 'enhanced-summary',
        encoding: 'utf-8',
        shape: 'csv',
        delimiter: 0x2c,
        columns: ENHANCED_SUMMARY_HEADER.split(','),
        dateOrder: null,
      },
      offset: this.#offset,
      line: this.#line,
      records: rows.length,
    };
    this.#offset += payload.length;
    this.#line += rows.length;
    return { header, payload };
  }

  *envelopes(rows: Iterable<Row>): Generator<Envelope> {
    let pending: Row[] = [];
    for (const row of rows) {
      pending.push(row);
      if (pending.length < ENVELOPE_ROWS) continue;
      yield this.pack(pending);
      pending = [];
    }
    if (pending.length > 0) yield this.pack(pending);
  }

  end(): Envelope {
    const header: FileEndHeader = {
      kind: 'file_end',
      schema: ENVELOPE_SCHEMA,
      tenant: this.#tenant,
      file: this.#file,
      ledger: {
        path: this.#file.name,
        sha256: this.#file.id,
        bytes: this.#offset,
        format: 'enhanced-summary',
        encoding: 'utf-8',
        delimiter: ',',
        date_order: null,
        records: this.#line - 2,
        refused: null,
        warnings: [],
      },
    };
    return { header, payload: new Uint8Array(0) };
  }
}
