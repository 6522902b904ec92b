/** The command `dead-letters`: lists rows that could not be used, shows single ones, puts them through again. */

import path from 'node:path';
import { loadPipeline } from '../config/pipeline/load.ts';
import type { Pipeline } from '../config/pipeline/pipeline.ts';
import { choice, usage } from '../config/scan-options.ts';
import { DEAD_LETTER_CODES, type ExitCode } from '../core/outcome.ts';
import { type LetterCounts, letterDetail, letterList } from '../reports/dead-letters.ts';
import { jsonLine } from '../reports/ndjson.ts';
import { counted, terminalSafe } from '../reports/text.ts';
import { type LetterSource, lettersOfFile, lettersOfPipeline } from './dead-letters/read.ts';
import { isEntry, writeReplay } from './dead-letters/replay.ts';
import type { StoredLetter } from './dead-letters/stored-letter.ts';
import { pipelineSurroundings } from './pipeline-files.ts';
import type { Streams } from './scan-command.ts';
import { kafkaSettings, logOf } from './service/components.ts';
import { type StreamOutput, streamOutput } from './stream-output.ts';
import { runSubmit } from './submit-command.ts';

export interface RawDeadLetterOptions {
  pipeline?: string;
  tenant?: string;
  code?: string;
  output?: string;
  out?: string;
  quiet?: boolean;
}

const ACTIONS = ['list', 'show', 'replay'] as const;
const OUTPUTS = ['text', 'ndjson'] as const;
const FIRST_SHOWN = 20;

export async function runDeadLetters(
  [action, ...operands]: readonly string[],
  raw: RawDeadLetterOptions,
  streams: Streams,
): Promise<ExitCode> {
  if (action === undefined) {
    throw usage(
      'dead-letters needs to know what to do',
      'For example: relaywatch dead-letters list dead-letters.ndjson',
    );
  }
  const wanted = choice('dead-letters', action, ACTIONS);
  const form = choice('--output', raw.output ?? 'text', OUTPUTS);
  const code = raw.code === undefined ? null : choice('--code', raw.code, DEAD_LETTER_CODES);
  const pipeline = raw.pipeline === undefined ? null : await loadPipeline(raw.pipeline, pipelineSurroundings());
  const { source, ids } = sourceOf(wanted, operands, raw, pipeline);
  const letters = chosen(source, (letter) => code === null || letter.code === code);
  const output = streamOutput(streams.stdout);
  switch (wanted) {
    case 'list':
      if (ids.length > 0) throw usage(`list takes one file, not ${ids[0]} too`, 'Give one file, or --pipeline.');
      await list(letters, form, output);
      return 0;
    case 'show':
      if (ids.length === 0)
        throw usage('show needs the id of a dead letter', 'relaywatch dead-letters list names them.');
      return show(letters, new Set(ids), form, output, streams.stderr);
    case 'replay':
      if (ids.length > 0) throw usage(`replay takes one file, not ${ids[0]} too`, 'Choose rows with --code.');
      return replay(letters, raw, pipeline, output, streams);
  }
}

function sourceOf(
  action: (typeof ACTIONS)[number],
  operands: readonly string[],
  { tenant }: RawDeadLetterOptions,
  pipeline: Pipeline | null,
): { source: LetterSource; ids: string[] } {
  if (pipeline !== null) return { source: lettersOfPipeline(pipeline, tenant), ids: [...operands] };
  const [file, ...ids] = operands;
  if (file === undefined) {
    throw usage(
      `${action} needs a file of dead letters, or --pipeline`,
      'scan and convert write one with --dead-letters FILE.',
    );
  }
  return { source: lettersOfFile(file), ids };
}

async function* chosen(source: LetterSource, isMeant: (letter: StoredLetter) => boolean) {
  for await (const letter of source.letters()) if (isMeant(letter)) yield letter;
}

async function list(
  letters: AsyncIterable<StoredLetter>,
  form: (typeof OUTPUTS)[number],
  output: StreamOutput,
): Promise<void> {
  const counts = new Map<string, number>();
  const files = new Set<string>();
  const first: LetterCounts['first'] = [];
  let total = 0;
  for await (const { id, code, reason, tenant, file, sha256, offset, length, line } of letters) {
    total += 1;
    if (form === 'ndjson') {
      const summary = { id, code, reason, ...(tenant === '' ? {} : { tenant }), file, sha256, offset, length, line };
      if (!(await output.write(jsonLine(summary)))) return;
      continue;
    }
    counts.set(code, (counts.get(code) ?? 0) + 1);
    files.add(`${tenant}\0${sha256}\0${file}`);
    if (first.length < FIRST_SHOWN) first.push({ id, code, reason, tenant, file, line });
  }
  if (form === 'ndjson') return;
  const codes = DEAD_LETTER_CODES.map((code) => ({ code, count: counts.get(code) ?? 0 }));
  const found = codes.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  await output.write(letterList({ total, files: files.size, codes: found, first }));
}

async function show(
  letters: AsyncIterable<StoredLetter>,
  ids: Set<string>,
  form: (typeof OUTPUTS)[number],
  output: StreamOutput,
  stderr: NodeJS.WriteStream,
): Promise<ExitCode> {
  let isFirst = true;
  for await (const { header: _header, original, ...letter } of letters) {
    if (!ids.delete(letter.id)) continue;
    const detail = { ...letter, original: textOf(original, letter.encoding) };
    const text = form === 'ndjson' ? jsonLine(detail) : `${isFirst ? '' : '\n'}${letterDetail(detail)}`;
    isFirst = false;
    if (!(await output.write(text)) || ids.size === 0) break;
  }
  for (const id of ids) stderr.write(`relaywatch: there is no dead letter ${terminalSafe(id)}\n`);
  return ids.size > 0 ? 1 : 0;
}

function textOf(original: Buffer, encoding: string): string {
  const isKnown = ['utf-16le', 'utf-16be', 'windows-1252'].includes(encoding);
  return new TextDecoder(isKnown ? encoding : 'utf-8').decode(original);
}

async function replay(
  letters: AsyncIterable<StoredLetter>,
  raw: RawDeadLetterOptions,
  pipeline: Pipeline | null,
  output: StreamOutput,
  streams: Streams,
): Promise<ExitCode> {
  const { stderr } = streams;
  if (pipeline?.log != null) {
    const entries = await replayLog(pipeline, raw);
    if (entries > 0) await output.write(`${pipeline.log.topic}  ${counted(entries, 'entry', 'entries')}\n`);
  }
  const { exports, left } = await writeReplay(withoutEntries(letters, pipeline), replayFolder(raw.out, pipeline));
  for (const { path: name, rows } of exports) {
    await output.write(`${terminalSafe(name)}  ${counted(rows, 'row')}\n`);
  }
  for (const [obstacle, count] of left) stderr.write(`relaywatch: ${counted(count, 'row')} left, ${obstacle}\n`);
  if (pipeline?.jobs != null && raw.pipeline !== undefined) {
    for (const [tenant, own] of Map.groupBy(exports, (written) => written.tenant)) {
      const paths = own.map(({ path: name }) => name);
      await runSubmit(paths, { pipeline: raw.pipeline, tenant, quiet: raw.quiet }, streams);
    }
  }
  if (!raw.quiet && exports.length === 0 && left.size === 0) stderr.write('there is nothing to replay\n');
  return left.size > 0 ? 1 : 0;
}

/**
 * Appends dead entries to the log again: those of tenants that have a profile by now, and with `--code` those of
 * envelopes that could not be read, which a newer version may read.
 */
async function replayLog(pipeline: Pipeline, { code, tenant }: RawDeadLetterOptions): Promise<number> {
  const { replayDeadEntries } = await import('../adapters/kafka/dead-letter-replay.ts');
  const log = logOf(pipeline);
  const known = new Set(pipeline.tenants.map(({ key }) => key));
  return replayDeadEntries(kafkaSettings(log), log.deadLetterTopic, (entry) => {
    if (tenant !== undefined && entry.tenant !== tenant) return false;
    return entry.code === (code ?? 'unknown_tenant') && known.has(entry.tenant);
  });
}

/** Letters about entries stand for what is in the topic, where there is one. */
async function* withoutEntries(letters: AsyncIterable<StoredLetter>, pipeline: Pipeline | null) {
  for await (const letter of letters) if (pipeline?.log == null || !isEntry(letter)) yield letter;
}

/** Where the exports of a tenant go: `--out`, or the folder that a pipeline watches. */
function replayFolder(out: string | undefined, pipeline: Pipeline | null): (tenant: string) => string {
  if (out !== undefined) return () => out;
  const folder = pipeline?.inputs.folder ?? null;
  if (folder === null) {
    throw usage(
      'replay needs a folder for the exports that it writes',
      'For example: --out replayed. Scan them, or with a pipeline of jobs have them read where they lie.',
    );
  }
  return (tenant) => (folder.tenant === null ? path.join(folder.path, tenant) : folder.path);
}
