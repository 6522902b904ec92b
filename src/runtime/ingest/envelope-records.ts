/** From an envelope to its records: the layout of the export is rebuilt from the header, the payload read alone. */

import { traceFormats } from '../../config/registry.ts';
import type { EnvelopeLayout, RowsHeader } from '../../core/envelope.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { canonicalColumn, matchFormat } from '../../formats/format.ts';
import { createCsvByteReader } from '../../readers/csv-bytes.ts';
import type { TextEncoding } from '../../readers/encoding.ts';
import type { RecordHandler } from '../../readers/reader.ts';
import type { FileLayout } from '../inputs/layout.ts';
import { createStoredRecordReader } from '../inputs/records.ts';

/** Layouts that are remembered: exports of one kind share theirs, so more than a few dozen mean a hostile producer. */
const MAX_LAYOUTS = 256;
/** By everything that makes a layout, the one used longest ago first. */
const layouts = new Map<string, FileLayout>();

const ENCODINGS: readonly TextEncoding[] = ['utf-8', 'utf-16le', 'utf-16be', 'windows-1252'];

/** What a header carries of a layout. */
export function layoutForEnvelope(layout: FileLayout, dateOrder: EnvelopeLayout['dateOrder']): EnvelopeLayout {
  const { encoding, shape, delimiter, columns, match } = layout;
  return { format: match.format.id, encoding, shape, delimiter, columns: [...columns], dateOrder };
}

/**
 * The layout that a header describes; the same object for the same layout, so that callers can key caches on
 * it. `dataOffset` and `dataLine` say nothing: an envelope has its own. Throws a RelaywatchError
 * (`envelope_layout`) where this worker does not know the format or the columns do not fit it.
 */
export function layoutOfEnvelope(layout: EnvelopeLayout): FileLayout {
  const key = JSON.stringify([layout.format, layout.encoding, layout.shape, layout.delimiter, layout.columns]);
  let known = layouts.get(key);
  if (known === undefined) {
    if (layouts.size >= MAX_LAYOUTS) layouts.delete(layouts.keys().next().value as string);
    known = rebuild(layout);
  } else {
    layouts.delete(key);
  }
  layouts.set(key, known);
  return known;
}

function rebuild({ format: id, encoding, shape, delimiter, columns }: EnvelopeLayout): FileLayout {
  const format = traceFormats.find((some) => some.id === id);
  if (format === undefined) throw unreadable(`it is of the format ${JSON.stringify(id)}`);
  const knownEncoding = ENCODINGS.find((some) => some === encoding);
  if (knownEncoding === undefined) throw unreadable(`it is encoded as ${JSON.stringify(encoding)}`);
  const header = columns.map(canonicalColumn);
  const match = format.shapes.includes(shape) ? matchFormat(format, header) : null;
  if (match === null) throw unreadable(`its columns do not fit the format ${id}`);
  const place = { dataOffset: 0, dataLine: 1 };
  return { encoding: knownEncoding, assumedEncoding: false, shape, delimiter, columns, header, match, ...place };
}

function unreadable(what: string): RelaywatchError {
  return new RelaywatchError({
    code: 'envelope_layout',
    message: `an envelope cannot be read: ${what}`,
    hint: 'a newer ingest worker wrote it: bring this worker to the same version',
  });
}

/**
 * Reads the records of an envelope: the same records, positions and refusals that reading the whole export
 * gives. The payload may be modified where quotes are doubled and where bytes are no UTF-8; the bytes of
 * refused records stay as they are but for the latter. Returns the layout, as `layoutOfEnvelope`.
 */
export function readEnvelopeRecords(header: RowsHeader, payload: Uint8Array, handler: RecordHandler): FileLayout {
  const layout = layoutOfEnvelope(header.layout);
  if (header.refusal !== undefined) {
    handler.reject(header.refusal);
    return layout;
  }
  const { offset, line, wrappers } = header;
  const start = { pushedOffset: offset, offset, line, wrappers };
  // This reader is synchronous: nothing has to be awaited.
  const reader = createStoredRecordReader(layout, createCsvByteReader, start, handler);
  reader.push(payload);
  reader.finish();
  return layout;
}
