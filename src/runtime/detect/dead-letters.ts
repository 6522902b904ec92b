/** Dead letters as documents: what was wrong, where, and the original bytes. */

import { createHash } from 'node:crypto';
import { formatTime } from '../../core/calendar.ts';
import type { AppendWrite } from '../../core/delivery.ts';
import type { RowsHeader } from '../../core/envelope.ts';
import type { LogEntry } from '../../core/envelope-log.ts';
import { ECS_VERSION } from '../../core/incident-document.ts';
import type { DeadLetterCode } from '../../core/outcome.ts';
import type { DeadLetter } from '../../core/ports.ts';

interface Place {
  file: string;
  sha256: string;
  offset: number;
  length: number;
  line: number;
  encoding?: string;
  header_base64?: string;
}

/** Bytes kept of one row: longer ones are attacks, and their file is in the archive. */
const ORIGINAL_BYTES = 16_384;

/** A row of an export. The same row gives the same id. */
export function deadLetterWrite(
  { tenant, file, layout, offset }: RowsHeader,
  payload: Uint8Array,
  letter: DeadLetter,
  appendedMs: number,
): AppendWrite {
  const from = letter.offset - offset;
  const original = payload.subarray(from, from + Math.min(letter.length, ORIGINAL_BYTES));
  return write(tenant, letter.code, letter.reason, original, appendedMs, {
    file: file.name,
    sha256: file.id,
    offset: letter.offset,
    length: letter.length,
    line: letter.line,
    encoding: layout.encoding,
    ...(layout.shape === 'csv' ? { header_base64: storedHeader(layout).toString('base64') } : {}),
  });
}

/** The line of column names in the encoding of the rows: with it a row can be put through again. */
function storedHeader({ columns, delimiter, encoding }: RowsHeader['layout']): Buffer {
  const cells = columns.map((name) => `"${name.replaceAll('"', '""')}"`);
  const line = `${cells.join(String.fromCharCode(delimiter))}\r\n`;
  if (encoding === 'utf-16le') return Buffer.from(`\ufeff${line}`, 'utf16le');
  if (encoding === 'utf-16be') return Buffer.from(`\ufeff${line}`, 'utf16le').swap16();
  return Buffer.from(line, encoding === 'windows-1252' ? 'latin1' : 'utf8');
}

/** An entry of the log that cannot be used as a whole. */
export function deadEntryWrite(
  code: DeadLetterCode,
  reason: string,
  partition: number,
  { offset, bytes, appendedMs, envelope }: LogEntry,
): AppendWrite {
  const tenant = envelope?.header.tenant ?? '';
  return write(tenant, code, reason, bytes.subarray(0, ORIGINAL_BYTES), appendedMs, {
    file: `partition ${partition}`,
    sha256: '',
    offset,
    length: bytes.length,
    line: 0,
  });
}

function write(
  tenant: string,
  code: DeadLetterCode,
  reason: string,
  original: Uint8Array,
  appendedMs: number,
  place: Place,
): AppendWrite {
  const id = createHash('sha256').update(JSON.stringify([tenant, place.sha256, place.file, place.offset, code]));
  return {
    kind: 'dead_letter',
    id: `rwd-${id.digest('hex').slice(0, 24)}`,
    document: {
      '@timestamp': formatTime(appendedMs),
      ecs: { version: ECS_VERSION },
      event: {
        kind: 'event',
        category: ['email'],
        type: ['error'],
        module: 'relaywatch',
        dataset: 'relaywatch.dead_letter',
      },
      relaywatch: {
        tenant,
        dead_letter: { code, reason, ...place, original: Buffer.from(original).toString('base64') },
      },
    },
  };
}
