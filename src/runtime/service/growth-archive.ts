/**
 * What growing exports gain, in the archive: each piece is an export of its own, the header of the file and the
 * whole rows that came since the piece before. The copy of all of it, once it rests, holds the same rows again;
 * rescans merge them.
 */

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { Archive } from '../../adapters/file/archive.ts';
import { type OpenExport, openExport, readAt, readRange } from '../../adapters/file/open-export.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { layoutForEnvelope } from '../ingest/envelope-records.ts';
import type { GrowthPoint } from '../ingest/ingest-file.ts';
import type { FileLayout } from '../inputs/layout.ts';
import { prepareInputs } from '../inputs.ts';
import { withWorkFolder } from '../rescan/work-folder.ts';

export interface GrowthArchiveOptions {
  archive: Archive;
  /** Pieces are made below it, on the disk of the archive. */
  workFolder: string;
  now: () => number;
  signal: AbortSignal;
}

export interface GrownExport {
  path: string;
  name: string;
  tenant: string;
  /** Of the file, however long it gets. */
  id: string;
}

interface Known extends GrownExport {
  point: GrowthPoint;
  /** SHA-256 of the last bytes before the point: another file of that name has others. */
  mark: string;
  /** Rows before this offset are in the archive. */
  archivedTo: number;
  archivedAtMs: number;
}

const MARK_BYTES = 4_096;
/** Pause between two pieces of a file: smaller ones would be many. */
const PIECE_EVERY_MS = 600_000;

export class GrowthArchive {
  readonly #options: GrowthArchiveOptions;
  /** Growing files by tenant and name. */
  readonly #known = new Map<string, Known>();

  constructor(options: GrowthArchiveOptions) {
    this.#options = options;
  }

  /**
   * A file has grown up to `point`, and its rows before `archivedTo` are archived. Archives the others, at most every
   * ten minutes. Returns up to where the archive holds them.
   */
  async grown(file: GrownExport, point: GrowthPoint, archivedTo: number): Promise<number> {
    const key = keyOf(file);
    const before = this.#known.get(key);
    const isSame = before !== undefined && before.id === file.id;
    const known = {
      ...file,
      point,
      mark: '',
      archivedTo: isSame ? Math.max(before.archivedTo, archivedTo) : archivedTo,
      archivedAtMs: isSame ? before.archivedAtMs : Number.NEGATIVE_INFINITY,
    };
    this.#known.set(key, known);
    await this.#withFile(known, async (opened) => {
      known.mark = markOf(opened, point.offset);
    });
    // A clock that was set back does not count.
    if (Math.abs(this.#options.now() - known.archivedAtMs) >= PIECE_EVERY_MS) await this.#archive(known);
    return known.archivedTo;
  }

  /** All of a file is in the archive. */
  whole(file: Pick<GrownExport, 'tenant' | 'name'>): void {
    this.#known.delete(keyOf(file));
  }

  /** Archives what waits for its time: before the archive is read. */
  async catchUp(): Promise<void> {
    for (const known of this.#known.values()) await this.#archive(known);
  }

  async #archive(known: Known): Promise<void> {
    if (known.point.offset <= known.archivedTo) return;
    await this.#withFile(known, (file) => this.#archivePiece(known, file));
    known.archivedAtMs = this.#options.now();
  }

  async #archivePiece(known: Known, file: OpenExport): Promise<void> {
    const { archive, workFolder, signal } = this.#options;
    const { tenant, name, point } = known;
    if (file.bytes < point.offset || markOf(file, point.offset) !== known.mark) return;
    const layout = await this.#layoutOf(known);
    if (layout === null) return;
    await withWorkFolder(workFolder, async (folder) => {
      const piece = path.join(folder, 'piece');
      const output = await open(piece, 'wx', 0o600);
      try {
        const write = async (chunk: Uint8Array): Promise<void> => {
          signal.throwIfAborted();
          await output.appendFile(chunk);
        };
        await readRange(file, 0, layout.dataOffset, write);
        await readRange(file, Math.max(layout.dataOffset, known.archivedTo), point.offset, write);
      } finally {
        await output.close();
      }
      const { sha256 } = await archive.put(tenant, piece, { name, signal });
      // The order of its dates may be proved by rows of an earlier piece alone.
      await archive.describe(tenant, sha256, { layout: layoutForEnvelope(layout, point.dateOrder) });
    });
    known.archivedTo = point.offset;
  }

  /** Does nothing where the path leads to no file any more: what was not archived of it is in the log alone. */
  async #withFile({ path: file }: Known, work: (file: OpenExport) => Promise<void>): Promise<void> {
    try {
      const opened = await openExport(file, true);
      try {
        await work(opened);
      } finally {
        await opened.handle.close();
      }
    } catch (error) {
      const isGone = error instanceof RelaywatchError && ['file_changed', 'not_found'].includes(error.code);
      if (!isGone) throw error;
    }
  }

  async #layoutOf({ path: file, tenant, point }: Known): Promise<FileLayout | null> {
    const inputs = await prepareInputs({
      paths: [path.resolve(file)],
      format: null,
      // Settled before; any order does where no date needs one.
      dateOrder: point.dateOrder ?? 'ymd',
      reader: 'js',
      tenantKey: tenant,
      sinceMs: null,
      untilMs: null,
      nowMs: this.#options.now(),
    });
    await inputs.dispose();
    return inputs.files[0].layout;
  }
}

function markOf(file: OpenExport, offset: number): string {
  const from = Math.max(0, offset - MARK_BYTES);
  return createHash('sha256')
    .update(readAt(file, from, offset - from))
    .digest('hex');
}

function keyOf({ tenant, name }: Pick<GrownExport, 'tenant' | 'name'>): string {
  return `${tenant}\0${name}`;
}
