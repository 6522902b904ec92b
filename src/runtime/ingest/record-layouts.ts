/** How the records of a stream are read: told from the keys of each, since topics may hold records of several kinds. */

import { traceFormats } from '../../config/registry.ts';
import type { EnvelopeLayout } from '../../core/envelope.ts';
import type { DateOrder } from '../../core/event-time.ts';
import { canonicalColumn, recogniseFormat } from '../../formats/format.ts';

/** Sets of keys that are remembered: streams have a few. */
const MAX_LAYOUTS = 256;
const JSON_FORMATS = traceFormats.filter(({ shapes }) => shapes.includes('json'));

export class RecordLayouts {
  readonly #dateOrder: DateOrder | null;
  /** By keys; null for those of no format. */
  readonly #known = new Map<string, EnvelopeLayout | null>();
  /** One object for each layout: records with other keys beside those that are read share theirs. */
  readonly #shared = new Map<string, EnvelopeLayout>();

  /** `dateOrder` is for dates that a record leaves open. */
  constructor(dateOrder: DateOrder | null) {
    this.#dateOrder = dateOrder;
  }

  /** The layout of a record with these keys; null where no format has them. The same object for the same layout. */
  of(keys: readonly string[]): EnvelopeLayout | null {
    const key = JSON.stringify(keys);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_LAYOUTS) this.#known.clear();
    const layout = this.#layoutOf(keys);
    this.#known.set(key, layout);
    return layout;
  }

  #layoutOf(keys: readonly string[]): EnvelopeLayout | null {
    const match = recogniseFormat(JSON_FORMATS, keys.map(canonicalColumn));
    if (match === null) return null;
    // Only what is read travels in every header.
    const read = new Set(Object.values(match.roles).filter((column) => column >= 0));
    const columns = keys.filter((_, column) => read.has(column));
    const key = JSON.stringify([match.format.id, columns]);
    const layout = this.#shared.get(key) ?? jsonLayout(match.format.id, columns, this.#dateOrder);
    if (this.#shared.size >= MAX_LAYOUTS) this.#shared.clear();
    this.#shared.set(key, layout);
    return layout;
  }
}

/** The layout under which a refused record travels: nothing is read of it. */
export function layoutOfRefused(): EnvelopeLayout {
  const [{ id, columns, required }] = JSON_FORMATS;
  return jsonLayout(
    id,
    required.map(([role]) => columns[role]![0]),
    null,
  );
}

function jsonLayout(format: string, columns: readonly string[], dateOrder: DateOrder | null): EnvelopeLayout {
  return { format, encoding: 'utf-8', shape: 'json', delimiter: 0, columns, dateOrder };
}
