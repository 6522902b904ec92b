/** Where dead letters are read from: a file of them, or what a pipeline keeps. */

import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { missingInput } from '../../adapters/file/export-files.ts';
import type { Pipeline } from '../../config/pipeline/pipeline.ts';
import { revealSecrets } from '../../config/pipeline/secret.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { letterOfDocument, letterOfLine, type StoredLetter } from './stored-letter.ts';

export interface LetterSource {
  /** For people. */
  name: string;
  letters(): AsyncIterable<StoredLetter>;
}

/** A file that `--dead-letters` or the embedded service wrote; `-` is standard input. */
export function lettersOfFile(file: string): LetterSource {
  return { name: file, letters: () => readFile(file, false) };
}

/** Those that a pipeline keeps, of one tenant or of all. */
export function lettersOfPipeline({ file, role, outputs }: Pipeline, tenant: string | undefined): LetterSource {
  if (outputs === null) {
    throw new RelaywatchError({
      code: 'usage',
      message: `${file}: a pipeline of role ${role} keeps no dead letters`,
      hint: 'Name one with outputs: pipelines/embedded.yaml, pipelines/detect.yaml or pipelines/jobs.yaml.',
      exitCode: 2,
    });
  }
  if (outputs.kind === 'folder') {
    const name = path.join(outputs.path, 'dead-letters.ndjson');
    return { name, letters: () => ofTenant(readFile(name, true), tenant) };
  }
  const settings = revealSecrets(outputs.elasticsearch);
  return {
    name: settings.node.join(', '),
    async *letters() {
      const { readDeadLetters } = await import('../../adapters/elasticsearch/dead-letters.ts');
      for await (const { id, document } of readDeadLetters(settings, tenant)) {
        const letter = letterOfDocument(id, document);
        if (letter !== null) yield letter;
      }
    },
  };
}

async function* ofTenant(letters: AsyncIterable<StoredLetter>, tenant: string | undefined) {
  for await (const letter of letters) if (tenant === undefined || letter.tenant === tenant) yield letter;
}

/** `isGrowing`: the service may be writing its last line, and there may be no file yet. */
async function* readFile(file: string, isGrowing: boolean): AsyncGenerator<StoredLetter> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  let found = 0;
  try {
    for await (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const letter = letterOfLine(line, number);
      if (letter !== null) {
        found += 1;
        yield letter;
      } else if (!isGrowing && found === 0) {
        throw new RelaywatchError({
          code: 'usage',
          message: `${file}: line ${number} is no dead letter`,
          hint: 'Give a file that scan or convert wrote with --dead-letters.',
          exitCode: 2,
        });
      }
    }
  } catch (error) {
    if (error instanceof RelaywatchError) throw error;
    if (isGrowing && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    const { code, message } = missingInput(file, error);
    throw new RelaywatchError({ code, message: `${file}: ${message}`, hint: 'Name another file.', cause: error });
  } finally {
    lines.close();
  }
}
