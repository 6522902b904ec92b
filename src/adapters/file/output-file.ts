/** Files that a command writes: whole or not at all. */

import { rmSync } from 'node:fs';
import { access, constants, open, realpath, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { RelaywatchError } from '../../core/outcome.ts';

/**
 * Refuses (exit 2) what could not be written at the end of a long scan: a folder, a place in a folder that
 * is missing or closed, and one of the inputs.
 */
export async function checkOutputFile(file: string, option: string, inputs: readonly string[]): Promise<void> {
  const target = await stat(file).catch(() => null);
  if (target?.isDirectory()) throw refusal(`${option} ${file} is a folder`, 'Name a file in it.');
  const folder = path.dirname(path.resolve(file));
  if (target === null || target.isFile()) {
    // With a separator at its end it must be a folder.
    const problem = await access(folder + path.sep, constants.W_OK).then(
      () => null,
      (error: NodeJS.ErrnoException) => error.code ?? 'unknown',
    );
    if (problem === 'ENOENT' || problem === 'ENOTDIR') {
      throw refusal(`${option} ${file}: there is no folder ${folder}`, 'Create the folder first, or name another one.');
    }
    if (problem !== null) {
      throw refusal(`${option} ${file}: nothing can be written to ${folder} (${problem})`, 'Name another folder.');
    }
  }
  if (target === null) return;
  for (const input of inputs) {
    const source = await stat(input).catch(() => null);
    if (source?.isFile() && source.dev === target.dev && source.ino === target.ino) {
      throw refusal(`${option} ${file} is one of the inputs and would be overwritten`, 'Name another file.');
    }
  }
}

function refusal(message: string, hint: string): RelaywatchError {
  return new RelaywatchError({ code: 'output_file', message, hint, exitCode: 2 });
}

/** A file that is written piece by piece and is there whole, or not at all. */
export interface OutputFile {
  write(data: string | Uint8Array): Promise<void>;
  /** All is written: it takes the place of the one before. */
  finish(): Promise<void>;
  /** Leaves the one before; does nothing once it is finished. */
  discard(): Promise<void>;
}

/**
 * Opens a file beside the one it replaces, to be renamed at the end, so that nobody ever reads half of it. What is
 * no regular file, such as a pipe, is written to directly. Everything rejects with a RelaywatchError.
 */
export async function openOutputFile(file: string): Promise<OutputFile> {
  try {
    const target = await stat(file).catch(() => null);
    if (target !== null && !target.isFile()) return guarded(file, await writeThrough(file));
    return guarded(file, await writeBeside(target === null ? path.resolve(file) : await realpath(file), target?.mode));
  } catch (error) {
    throw writeFailure(file, error);
  }
}

/** Writes a file as `openOutputFile` does. */
export async function writeOutputFile(file: string, text: string): Promise<void> {
  const output = await openOutputFile(file);
  try {
    await output.write(text);
    await output.finish();
  } finally {
    await output.discard();
  }
}

function guarded(file: string, { write, finish, discard }: OutputFile): OutputFile {
  const told = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      throw writeFailure(file, error);
    }
  };
  return { write: (data) => told(write(data)), finish: () => told(finish()), discard };
}

function writeFailure(file: string, error: unknown): RelaywatchError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  return new RelaywatchError({
    code: 'output_file',
    message: `${file} cannot be written (${code})`,
    hint: code === 'ENOSPC' ? 'The disk is full: make room or name a file on another one.' : 'Name another file.',
    cause: error,
  });
}

async function writeThrough(file: string): Promise<OutputFile> {
  const handle = await open(file, 'w');
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close();
    isOpen = false;
  };
  return { write: (data) => handle.writeFile(data), finish: close, discard: close };
}

async function writeBeside(file: string, mode: number | undefined): Promise<OutputFile> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  const remove = () => rmSync(temporary, { force: true });
  // Also where Ctrl-C ends the process in the middle.
  process.once('exit', remove);
  let isOpen = false;
  const discard = async (): Promise<void> => {
    if (isOpen) await handle.close();
    isOpen = false;
    remove();
    process.off('exit', remove);
  };
  const handle = await open(temporary, 'w', mode ?? 0o666).catch((error) => {
    process.off('exit', remove);
    throw error;
  });
  isOpen = true;
  return {
    write: (data) => handle.writeFile(data),
    async finish() {
      await handle.sync();
      isOpen = false;
      await handle.close();
      await rename(temporary, file);
      process.off('exit', remove);
    },
    discard,
  };
}
