/** What `doctor` says of the folders of pipelines: whether this user can use them. */

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Pipeline } from '../config/pipeline/pipeline.ts';
import type { Check } from '../core/setup.ts';

/** One check for each folder, however many pipelines share it. Nothing is written. */
export async function checkFolders(pipelines: readonly Pipeline[]): Promise<Check[]> {
  const folders = new Map<string, { use: string; mode: number }>();
  for (const { inputs, state, outputs, archive, jobs } of pipelines) {
    if (inputs.folder !== null && !folders.has(inputs.folder.path)) {
      folders.set(inputs.folder.path, { use: 'exports are read', mode: constants.R_OK });
    }
    const written: [string, string | undefined][] = [
      ['state', state?.kind === 'folder' ? state.path : undefined],
      ['findings', outputs?.kind === 'folder' ? outputs.path : undefined],
      ['archive', archive?.path],
      ['jobs', jobs?.spool ?? undefined],
    ];
    for (const [use, folder] of written) {
      if (folder !== undefined) folders.set(folder, { use, mode: constants.R_OK | constants.W_OK });
    }
  }
  return Promise.all([...folders].map(([folder, { use, mode }]) => checkFolder(folder, use, mode)));
}

async function checkFolder(folder: string, use: string, mode: number): Promise<Check> {
  const what = `folder ${folder} (${use})`;
  const nearest = await nearestThere(folder);
  const isThere = nearest === folder;
  try {
    if (!(await stat(nearest)).isDirectory()) {
      return { what, ok: false, detail: `${nearest} is no folder`, hint: 'Name another one in the pipeline.' };
    }
    // A folder that is not there yet is made by the worker.
    await access(nearest, constants.X_OK | (isThere ? mode : constants.W_OK));
  } catch {
    const may = mode === constants.R_OK && isThere ? 'read' : 'written';
    const hint = `Give the user that runs the workers the right to it${process.getuid === undefined ? '' : ` (this is user ${process.getuid()})`}.`;
    return { what, ok: false, detail: `${nearest} cannot be ${may} by this user`, hint };
  }
  return { what, ok: true, detail: isThere ? 'can be used' : 'is made when a worker starts', hint: null };
}

/** The folder, or the nearest one above it that is there. */
async function nearestThere(folder: string): Promise<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    const isThere = await stat(at).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    if (isThere || path.dirname(at) === at) return at;
  }
}
