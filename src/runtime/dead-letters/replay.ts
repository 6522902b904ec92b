/** Dead letters put through again: their rows, as they were or mended, with their header in new exports. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type OutputFile, openOutputFile } from '../../adapters/file/output-file.ts';
import { DEAD_LETTERS, type DeadLetterCode, RelaywatchError } from '../../core/outcome.ts';
import type { StoredLetter } from './stored-letter.ts';

/** Exports that are written at the same time: each is an open file. */
const MOST_EXPORTS = 500;

export interface ReplayedExport {
  path: string;
  tenant: string;
  rows: number;
}

export interface Replayed {
  exports: ReplayedExport[];
  /** Letters that were not written, by what is in the way. */
  left: Map<string, number>;
}

/** Entries of the log are no rows: they lie in the dead-letter topic as they were. */
const NO_ROWS: ReadonlySet<DeadLetterCode> = new Set(['bad_envelope', 'unknown_tenant']);

/** Whether a letter is about an entry of the log and not about a row. */
export function isEntry({ code }: StoredLetter): boolean {
  return NO_ROWS.has(code);
}

const OPENING_BRACE = 0x7b;
const BLANKS = [0x20, 0x09, 0x0a, 0x0d];

/**
 * Writes an export for each file that letters are from, into the folder that `folderOf` names for its tenant. Either
 * all exports are there in the end, or none that was not there before.
 */
export async function writeReplay(
  letters: AsyncIterable<StoredLetter>,
  folderOf: (tenant: string) => string,
): Promise<Replayed> {
  const exports = new Map<string, ReplayedExport & { output: OutputFile; lineEnd: Buffer }>();
  const left = new Map<string, number>();
  try {
    for await (const letter of letters) {
      const obstacle = obstacleTo(letter);
      if (obstacle !== null) {
        left.set(obstacle, (left.get(obstacle) ?? 0) + 1);
        continue;
      }
      const header = letter.header?.toString('base64') ?? '';
      const key = JSON.stringify([letter.tenant, letter.sha256, letter.file, header]);
      let target = exports.get(key);
      if (target === undefined) {
        if (exports.size === MOST_EXPORTS) throw tooMany();
        target = await newExport(letter, folderOf(letter.tenant), exports.size + 1);
        exports.set(key, target);
      }
      const isEnded = letter.original.subarray(-target.lineEnd.length).equals(target.lineEnd);
      await target.output.write(isEnded ? letter.original : Buffer.concat([letter.original, target.lineEnd]));
      target.rows += 1;
    }
    for (const { output } of exports.values()) await output.finish();
  } finally {
    for (const { output } of exports.values()) await output.discard();
  }
  const written = [...exports.values()].map(({ path: name, tenant, rows }) => ({ path: name, tenant, rows }));
  return { exports: written, left };
}

/** What keeps a letter from being put through again; null where nothing does. */
function obstacleTo(letter: StoredLetter): string | null {
  const { code, isCut, header, original } = letter;
  if (isEntry(letter)) return `${code}: ${DEAD_LETTERS[code].action}`;
  if (isCut) return 'longer than what was kept: read the file itself again';
  if (header !== null) return null;
  const first = original.find((byte) => !BLANKS.includes(byte));
  return first === OPENING_BRACE ? null : 'without a header: read the file itself again';
}

async function newExport(
  { file, tenant, encoding, header }: StoredLetter,
  folder: string,
  number: number,
): Promise<ReplayedExport & { output: OutputFile; lineEnd: Buffer }> {
  await mkdir(folder, { recursive: true });
  const ending = header === null ? 'ndjson' : 'csv';
  const name = path.join(folder, `replay-${number}-${plainName(file)}.${ending}`);
  const output = await openOutputFile(name);
  const lineEnd = Buffer.from('\n', encoding.startsWith('utf-16') ? 'utf16le' : 'utf8');
  if (encoding === 'utf-16be') lineEnd.swap16();
  if (header !== null) await output.write(header);
  return { path: name, tenant, rows: 0, output, lineEnd };
}

/** The last part of a path without what a file name may not hold, and without its ending. */
function plainName(file: string): string {
  const [last] = file.split(/[\\/]/).slice(-1);
  const name = last.replace(/\.[a-z0-9]{1,6}$/i, '').replaceAll(/[^\p{L}\p{N}._-]/gu, '_');
  return name.replace(/^\.+/, '').slice(0, 80) || 'rows';
}

function tooMany(): RelaywatchError {
  return new RelaywatchError({
    code: 'too_many_files',
    message: `the dead letters are of more than ${MOST_EXPORTS} files`,
    hint: 'Replay a part of them at a time: --code and --tenant choose.',
  });
}
