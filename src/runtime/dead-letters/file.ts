/**
 * `--dead-letters FILE`: a line of JSON for each row that could not be used, with its original bytes and all that
 * is needed to put it through again.
 */

import { isUtf8 } from 'node:buffer';
import type { OutputFile } from '../../adapters/file/output-file.ts';
import type { DeadLetterCode } from '../../core/outcome.ts';
import type { DeadLetter } from '../../core/ports.ts';
import { MAX_RECORD_BYTES } from '../../readers/reader.ts';
import { jsonLine } from '../../reports/ndjson.ts';
import type { PreparedInputs, ReadOptions } from '../inputs.ts';

/** One line. Offsets count bytes of the file without its container. */
export interface DeadLetterLine {
  code: DeadLetterCode;
  reason: string;
  file: string;
  sha256: string | null;
  offset: number;
  length: number;
  line: number;
  format: string | null;
  encoding: string | null;
  /** The bytes as text, or where they are no UTF-8 `original_base64`; cut at a megabyte, see `is_cut`. */
  original?: string;
  original_base64?: string;
  is_cut?: true;
  /** What stands in the file before its first row, in the same two forms; none in JSON and XML. */
  header?: string;
  header_base64?: string;
}

/** Writes the dead letters of one run, in the order of the files and of their rows. */
export class DeadLetterWriter {
  readonly #output: OutputFile;
  #lines: string[] = [];

  constructor(output: OutputFile) {
    this.#output = output;
  }

  /** What reading these inputs has to be told. */
  of(inputs: PreparedInputs): Required<Pick<ReadOptions, 'onDeadLetter' | 'afterChunk'>> {
    let headerOf = -1;
    let header: Partial<DeadLetterLine> = {};
    return {
      onDeadLetter: (file, letter) => {
        if (file !== headerOf) header = storedHeader(inputs, file);
        headerOf = file;
        this.#lines.push(jsonLine(lineOf(inputs, file, letter, header)));
      },
      afterChunk: () => (this.#lines.length === 0 ? undefined : this.#flush()),
    };
  }

  async #flush(): Promise<void> {
    const text = this.#lines.join('');
    this.#lines = [];
    await this.#output.write(text);
  }
}

function lineOf(
  { ledgerFiles, storedBytes }: PreparedInputs,
  file: number,
  { code, reason, offset, length, line }: DeadLetter,
  header: Partial<DeadLetterLine>,
): DeadLetterLine {
  const { path, sha256, format, encoding } = ledgerFiles[file];
  const original = storedBytes(file, offset, Math.min(length, MAX_RECORD_BYTES));
  return {
    code,
    reason,
    file: path,
    sha256,
    offset,
    length,
    line,
    format,
    encoding,
    ...inTextOrBase64('original', original),
    ...(length > MAX_RECORD_BYTES ? { is_cut: true } : {}),
    ...header,
  };
}

function storedHeader({ files, storedBytes }: PreparedInputs, file: number): Partial<DeadLetterLine> {
  const { layout } = files[file];
  return layout?.shape === 'csv' ? inTextOrBase64('header', storedBytes(file, 0, layout.dataOffset)) : {};
}

function inTextOrBase64(name: 'original' | 'header', bytes: Uint8Array): Partial<DeadLetterLine> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return isUtf8(bytes) ? { [name]: buffer.toString('utf8') } : { [`${name}_base64`]: buffer.toString('base64') };
}
