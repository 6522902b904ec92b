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

/**
 * Writes a file beside the one it replaces and renames it, so that nobody ever reads half of it. What is no
 * regular file, such as a pipe, is written to directly.
 */
export async function writeOutputFile(file: string, text: string): Promise<void> {
  try {
    const target = await stat(file).catch(() => null);
    if (target !== null && !target.isFile()) return await writeThrough(file, text);
    await writeAndRename(target === null ? path.resolve(file) : await realpath(file), text, target?.mode);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new RelaywatchError({
      code: 'output_file',
      message: `${file} cannot be written (${code})`,
      hint: code === 'ENOSPC' ? 'The disk is full: make room or name a file on another one.' : 'Name another file.',
      cause: error,
    });
  }
}

async function writeThrough(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

async function writeAndRename(file: string, text: string, mode: number | undefined): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`);
  const remove = () => rmSync(temporary, { force: true });
  // Also where Ctrl-C ends the process in the middle.
  process.once('exit', remove);
  try {
    const handle = await open(temporary, 'w', mode ?? 0o666);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } finally {
    remove();
    process.off('exit', remove);
  }
}
