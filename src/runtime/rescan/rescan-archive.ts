/** A rescan over the archive: its exports are laid out as files for as long as they are read. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Archive } from '../../adapters/file/archive.ts';
import { type RescanOptions, type RescanReport, rescan } from './rescan.ts';

export async function rescanArchive(
  options: Omit<RescanOptions, 'paths'> & { archive: Archive },
): Promise<RescanReport> {
  const { archive, profile, temporaryFolder = tmpdir(), signal } = options;
  const folder = await mkdtemp(path.join(temporaryFolder, 'relaywatch-rescan-'));
  try {
    const paths: string[] = [];
    for (const { sha256 } of await archive.list(profile.settings.key)) {
      signal?.throwIfAborted();
      const file = path.join(folder, sha256);
      await archive.extract(profile.settings.key, sha256, file, signal);
      paths.push(file);
    }
    if (paths.length === 0) return { changes: [], unchanged: 0, warnings: [] };
    return await rescan({ ...options, paths });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
