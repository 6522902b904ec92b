/** What the tests of envelopes share: an export read whole, and cut into envelopes that are read one by one. */

import { knownOtherExports, traceFormats } from '../../../src/config/registry.ts';
import type { Envelope, RowsHeader } from '../../../src/core/envelope.ts';
import { createCsvByteReader } from '../../../src/readers/csv-bytes.ts';
import { type CutBounds, EnvelopeCutter, envelopesOfCut, payloadLength } from '../../../src/runtime/ingest/cut.ts';
import { layoutForEnvelope, readEnvelopeRecords } from '../../../src/runtime/ingest/envelope-records.ts';
import { type FileLayout, readLayout } from '../../../src/runtime/inputs/layout.ts';
import { createStoredRecordReader, recordStart } from '../../../src/runtime/inputs/records.ts';
import { collectRecords, type ReadResult } from '../../readers/csv-reading.ts';

/** The layout of an export; null where it has none. */
export function layoutOf(document: Uint8Array): FileLayout | null {
  const result = readLayout(document.subarray(0, 1 << 20), traceFormats, knownOtherExports, null);
  return result.kind === 'layout' ? result.layout : null;
}

/** Pushes a copy of the document, cut before the bytes at `cuts`. */
function pieces(document: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...cuts, document.length];
  return edges.slice(1).map((end, index) => new Uint8Array(document.subarray(edges[index], end)));
}

export function readWhole(document: Uint8Array, layout: FileLayout): ReadResult {
  const { records, letters, handler } = collectRecords();
  const reader = createStoredRecordReader(layout, createCsvByteReader, recordStart(layout), handler);
  reader.push(new Uint8Array(document));
  reader.finish();
  return { records, letters };
}

export function cutIntoEnvelopes(
  document: Uint8Array,
  layout: FileLayout,
  cuts: readonly number[],
  bounds?: CutBounds,
): Envelope[] {
  const start = recordStart(layout);
  const cutter: EnvelopeCutter = new EnvelopeCutter(start, () => reader.wrappers, bounds);
  const reader = createStoredRecordReader(layout, createCsvByteReader, start, cutter);
  for (const piece of pieces(document, cuts)) reader.push(piece);
  reader.finish();
  cutter.finish(document.length);
  const origin = {
    tenant: 'contoso',
    file: { id: 'ab'.repeat(32), name: 'export' },
    layout: layoutForEnvelope(layout, null),
  };
  return cutter.cuts.flatMap((cut) =>
    envelopesOfCut(origin, cut, document.subarray(cut.offset, cut.offset + payloadLength(cut))),
  );
}

export function readEnvelopes(envelopes: readonly Envelope[]): ReadResult {
  const { records, letters, handler } = collectRecords();
  for (const { header, payload } of envelopes) {
    readEnvelopeRecords(header as RowsHeader, new Uint8Array(payload), handler);
  }
  return { records, letters };
}
