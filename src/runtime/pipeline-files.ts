/** The files that a pipeline names, as `config` reads them. */

import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readReferenceFile } from '../adapters/file/reference-file.ts';
import type { PipelineSurroundings } from '../config/pipeline/load.ts';
import { RelaywatchError } from '../core/outcome.ts';

/** The folder that `lint`, `run` and `test` look into where none is named. */
export const PIPELINE_FOLDER = 'pipelines';

/** The folders that come with relaywatch: the pipelines, and the examples that their cases read. */
const SHIPPED = ['pipelines', 'examples'].map((name) => fileURLToPath(new URL(`../../${name}`, import.meta.url)));

/** The pipeline that a command uses where none is named. Raises a RelaywatchError where it is not here. */
export async function defaultPipeline(name: string): Promise<string> {
  const file = `${PIPELINE_FOLDER}/${name}.yaml`;
  if ((await listFolder(PIPELINE_FOLDER))?.includes(`${name}.yaml`) === true) return file;
  throw new RelaywatchError({
    code: 'usage',
    message: `no pipeline is named, and there is no ${file} here`,
    hint: `Name one, or begin with those that come with relaywatch: copy ${SHIPPED.join(' and ')} to here.`,
    exitCode: 2,
  });
}

/** The files and the environment of this machine. */
export function pipelineSurroundings(): PipelineSurroundings {
  return {
    environment: process.env,
    readFile: (path) => readReferenceFile(path, 'the file'),
    listFolder,
    nowMs: Date.now(),
  };
}

/** Paths of the pipelines that are meant: files as they are, of folders every .yaml in them; without any, `pipelines`. */
export async function namedPipelines(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths.length === 0 ? [PIPELINE_FOLDER] : paths) {
    const names = await listFolder(path);
    const pipelines = names?.filter((name) => /\.ya?ml$/i.test(name)).sort() ?? [];
    if (names === null && paths.length > 0) found.push(path);
    else if (pipelines.length > 0) found.push(...pipelines.map((name) => `${path.replace(/[\\/]+$/, '')}/${name}`));
    else throw noPipeline(path, paths.length === 0);
  }
  return found;
}

function noPipeline(path: string, isDefault: boolean): RelaywatchError {
  return new RelaywatchError({
    code: 'usage',
    message: `there is no pipeline in the folder ${path}${isDefault ? ' here' : ''}`,
    hint: `Name the file, such as pipelines/embedded.yaml${isDefault ? `; ${SHIPPED[0]} has some` : ''}.`,
    exitCode: 2,
  });
}

async function listFolder(path: string): Promise<string[] | null> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null;
    throw error;
  }
}
