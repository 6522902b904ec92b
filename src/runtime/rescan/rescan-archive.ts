/** A rescan over the archive: its exports are laid out as files for as long as they are read. */

import path from 'node:path';
import type { Archive } from '../../adapters/file/archive.ts';
import { type RescanExport, type RescanOptions, type RescanReport, rescan } from './rescan.ts';
import { withWorkFolder } from './work-folder.ts';

export interface RescanArchiveOptions extends Omit<RescanOptions, 'exports' | 'temporaryFolder'> {
  archive: Archive;
  /** A folder on a disk: the archive is unpacked below it, for as long as the rescan runs. */
  workFolder: string;
}

export async function rescanArchive(options: RescanArchiveOptions): Promise<RescanReport> {
  const { archive, profile, workFolder, signal } = options;
  return await withWorkFolder(workFolder, async (folder) => {
    const exports = async (): Promise<RescanExport[]> => {
      const files: RescanExport[] = [];
      for (const { sha256, layout } of await archive.list(profile.settings.key)) {
        signal?.throwIfAborted();
        const file = path.join(folder, sha256);
        await archive.extract(profile.settings.key, sha256, file, signal);
        files.push({ path: file, dateOrder: layout?.dateOrder ?? null });
      }
      return files;
    };
    return await rescan({ ...options, exports, temporaryFolder: folder });
  });
}
