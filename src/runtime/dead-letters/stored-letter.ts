/** A dead letter as it is kept: a line of `--dead-letters FILE`, or a document of the service. */

import { DEAD_LETTERS, type DeadLetterCode } from '../../core/outcome.ts';

export interface StoredLetter {
  /** Of the document; of a line in a file its number, from 1. */
  id: string;
  code: DeadLetterCode;
  reason: string;
  /** Empty where one run had one tenant. */
  tenant: string;
  file: string;
  sha256: string;
  offset: number;
  length: number;
  line: number;
  encoding: string;
  original: Buffer;
  /** The original is longer than what was kept. */
  isCut: boolean;
  /** What must stand before the row in a CSV file, in its encoding; null where none is known or needed. */
  header: Buffer | null;
}

type Json = Record<string, unknown>;

/** The letter in a line of NDJSON, of either kind; null for a line that is none. */
export function letterOfLine(line: string, number: number): StoredLetter | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { _id: id, relaywatch } = value as Json;
  if (typeof relaywatch !== 'object' || relaywatch === null) return letterOfFields(value as Json, String(number), '');
  return letterOfDocument(typeof id === 'string' ? id : String(number), value as Json);
}

/** The letter in a document of the service; null where it is none. */
export function letterOfDocument(id: string, document: Json): StoredLetter | null {
  const { tenant, dead_letter: letter } = (document.relaywatch ?? {}) as Json;
  if (typeof letter !== 'object' || letter === null) return null;
  // In documents the original is always in base64.
  const { original, ...fields } = letter as Json;
  return letterOfFields({ ...fields, original_base64: original }, id, text(tenant));
}

function letterOfFields(fields: Json, id: string, tenant: string): StoredLetter | null {
  const { code } = fields;
  if (typeof code !== 'string' || !Object.hasOwn(DEAD_LETTERS, code)) return null;
  const original = bytesOf(fields, 'original');
  if (original === null) return null;
  const length = count(fields.length);
  const isRepaired = typeof fields.original === 'string';
  return {
    id,
    code: code as DeadLetterCode,
    reason: text(fields.reason),
    tenant,
    file: text(fields.file),
    sha256: text(fields.sha256),
    offset: count(fields.offset),
    length,
    line: count(fields.line),
    encoding: text(fields.encoding),
    original,
    // Text may have been mended since, and be shorter.
    isCut: fields.is_cut === true || (!isRepaired && original.length < length),
    header: bytesOf(fields, 'header'),
  };
}

function bytesOf(fields: Json, name: string): Buffer | null {
  const { [name]: plain, [`${name}_base64`]: encoded } = fields;
  if (typeof plain === 'string') return Buffer.from(plain);
  return typeof encoded === 'string' ? Buffer.from(encoded, 'base64') : null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
