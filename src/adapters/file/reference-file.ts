/** Small files that a person hands in as a reference, such as the list of accepted domains. */

import { open } from 'node:fs/promises';
import { RelaywatchError } from '../../core/outcome.ts';

/** A list of 10,000 accepted domains with all 48 columns has about 15 MB. */
export const MAX_REFERENCE_BYTES = 32 * 1024 * 1024;

/**
 * The bytes of a whole file, or null where there is none of that name. `option` is the option that
 * named it, for the errors: a folder, a file that is too large, or one that cannot be read (exit 2).
 */
export async function readReferenceFile(path: string, option: string): Promise<Uint8Array | null> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR' || errorCode(error) === 'ENAMETOOLONG') {
      return null;
    }
    throw notReadable(path, option, error);
  }
  try {
    const { size } = await handle.stat();
    if (size > MAX_REFERENCE_BYTES) throw tooLarge(path, option);
    // Not `readFile`: what is no regular file has no size, and may never end.
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(65_536), 0, 65_536, null);
      if (bytesRead === 0) return Buffer.concat(chunks);
      length += bytesRead;
      if (length > MAX_REFERENCE_BYTES) throw tooLarge(path, option);
      chunks.push(buffer.subarray(0, bytesRead));
    }
  } catch (error) {
    throw error instanceof RelaywatchError ? error : notReadable(path, option, error);
  } finally {
    await handle.close();
  }
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function tooLarge(path: string, option: string): RelaywatchError {
  return new RelaywatchError({
    code: 'reference_too_large',
    message: `${option} ${path} is larger than ${MAX_REFERENCE_BYTES / 1024 / 1024} MiB: that is no such list`,
    hint: 'Message traces go behind the command as PATH, without an option.',
    exitCode: 2,
  });
}

function notReadable(path: string, option: string, cause: unknown): RelaywatchError {
  const folder = errorCode(cause) === 'EISDIR';
  return new RelaywatchError({
    code: 'reference_not_readable',
    message: folder ? `${option} ${path} is a folder` : `${option} ${path} cannot be read (${errorCode(cause)})`,
    hint: folder ? 'Name the file in it.' : 'Check the permissions of the file.',
    exitCode: 2,
    cause,
  });
}
