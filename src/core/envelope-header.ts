/**
 * The header of an envelope as it comes from the log, field by field: it is input, whoever wrote it. Fields
 * that are not known are ignored. A field that is missing or of another kind is said by its path.
 */

import {
  type EnvelopeFile,
  type EnvelopeHeader,
  type EnvelopeLayout,
  type FileEndHeader,
  LARGEST_PAYLOAD_BYTES,
  type RowsHeader,
} from './envelope.ts';
import type { DateOrder } from './event-time.ts';
import { DEAD_LETTER_CODES, REFUSAL_CODES } from './outcome.ts';
import type { DeadLetter } from './ports.ts';
import { LARGEST_OFFSET } from './record.ts';

const MAX_TENANT_CHARACTERS = 256;
const MAX_NAME_CHARACTERS = 4_096;
const MAX_COLUMNS = 4_096;
const MAX_WARNINGS = 10_000;
/** Every record of the payload has a position, which holds its offset. */
const MAX_OFFSET = LARGEST_OFFSET - LARGEST_PAYLOAD_BYTES;
const SHA256 = /^[0-9a-f]{64}$/;
const DATE_ORDERS: readonly DateOrder[] = ['mdy', 'dmy', 'ymd'];
const SHAPES = ['csv', 'json', 'xml'] as const;

/** The header is not what a header has to be. */
export class HeaderProblem extends Error {}

/** The known fields of a parsed header; throws HeaderProblem. */
export function readHeader(value: unknown): EnvelopeHeader {
  const fields = new Fields(value, '');
  const common = {
    schema: fields.integer('schema', 1),
    tenant: fields.text('tenant', MAX_TENANT_CHARACTERS),
    file: readFile(fields.object('file')),
  };
  if (common.tenant === '') throw new HeaderProblem('its tenant is empty');
  const kind = fields.oneOf('kind', ['rows', 'file_end'] as const);
  return kind === 'rows' ? readRows(common, fields) : { kind, ...common, ledger: readLedger(fields.object('ledger')) };
}

function readRows(common: { schema: number; tenant: string; file: EnvelopeFile }, fields: Fields): RowsHeader {
  const header: RowsHeader = {
    kind: 'rows',
    ...common,
    layout: readLayout(fields.object('layout')),
    offset: fields.integer('offset', 0, MAX_OFFSET),
    line: fields.integer('line', 0),
    records: fields.integer('records', 0),
  };
  if (fields.has('wrappers')) header.wrappers = fields.integer('wrappers', 0, 64);
  if (fields.has('refusal')) header.refusal = readRefusal(fields.object('refusal'));
  return header;
}

function readFile(fields: Fields): EnvelopeFile {
  const id = fields.text('id', 64);
  if (!SHA256.test(id)) throw new HeaderProblem('its file.id is no SHA-256 in lower-case hex');
  return { id, name: fields.text('name', MAX_NAME_CHARACTERS) };
}

function readLayout(fields: Fields): EnvelopeLayout {
  return {
    format: fields.text('format', MAX_NAME_CHARACTERS),
    encoding: fields.text('encoding', MAX_NAME_CHARACTERS),
    shape: fields.oneOf('shape', SHAPES),
    delimiter: fields.integer('delimiter', 0, 255),
    columns: fields.texts('columns', MAX_COLUMNS),
    dateOrder: fields.orNull('dateOrder', () => fields.oneOf('dateOrder', DATE_ORDERS)),
  };
}

function readRefusal(fields: Fields): DeadLetter {
  return {
    code: fields.oneOf('code', DEAD_LETTER_CODES),
    reason: fields.text('reason'),
    offset: fields.integer('offset', 0, LARGEST_OFFSET),
    length: fields.integer('length', 0),
    line: fields.integer('line', 0),
  };
}

function readLedger(fields: Fields): FileEndHeader['ledger'] {
  const textOrNull = (name: string) => fields.orNull(name, () => fields.text(name, MAX_NAME_CHARACTERS));
  return {
    path: fields.text('path', MAX_NAME_CHARACTERS),
    sha256: textOrNull('sha256'),
    bytes: fields.integer('bytes', 0),
    format: textOrNull('format'),
    encoding: textOrNull('encoding'),
    delimiter: textOrNull('delimiter'),
    date_order: textOrNull('date_order'),
    records: fields.integer('records', 0),
    refused: fields.orNull('refused', () => {
      const refused = fields.object('refused');
      return { code: refused.oneOf('code', REFUSAL_CODES), message: refused.text('message') };
    }),
    warnings: fields.texts('warnings', MAX_WARNINGS),
  };
}

/** The fields of an object; each reader throws HeaderProblem where the field is no such thing. */
class Fields {
  readonly #values: Record<string, unknown>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new HeaderProblem(path === '' ? 'its header is no object' : `its ${path} is no object`);
    }
    this.#values = value as Record<string, unknown>;
    this.#path = path;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  object(name: string): Fields {
    return new Fields(this.#value(name), this.#pathOf(name));
  }

  text(name: string, maxCharacters = Number.POSITIVE_INFINITY): string {
    const value = this.#value(name);
    if (typeof value !== 'string') throw this.#problem(name, 'is no text');
    if (value.length > maxCharacters) throw this.#problem(name, `is longer than ${maxCharacters} characters`);
    return value;
  }

  texts(name: string, maxCount: number): string[] {
    const value = this.#value(name);
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) {
      throw this.#problem(name, 'is no list of texts');
    }
    if (value.length > maxCount) throw this.#problem(name, `has more than ${maxCount} entries`);
    return value;
  }

  integer(name: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#value(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw this.#problem(name, `is no whole number from ${min} to ${max}`);
    }
    return value;
  }

  oneOf<const Value extends string>(name: string, allowed: readonly Value[]): Value {
    const value = this.#value(name);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw this.#problem(name, `is none of ${allowed.join(', ')}`);
    return found;
  }

  orNull<Value>(name: string, read: () => Value): Value | null {
    return this.#value(name) === null ? null : read();
  }

  #value(name: string): unknown {
    return this.has(name) ? this.#values[name] : undefined;
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }

  #problem(name: string, what: string): HeaderProblem {
    return new HeaderProblem(`its ${this.#pathOf(name)} ${what}`);
  }
}
