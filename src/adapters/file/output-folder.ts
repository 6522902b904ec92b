/**
 * Findings in a folder, for the embedded mode without Elasticsearch: `incidents/ID.json`, `ledger/ID.json`,
 * `findings/ID.json`, each replaced as a whole; `alerts.ndjson` and `dead-letters.ndjson`, which only grow.
 * People may edit `relaywatch.triage` of an incident; it is kept.
 */

import { renameSync, statSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AppendWrite,
  DeliveryReport,
  IncidentWrite,
  OutputStore,
  OutputWrite,
  ReplaceWrite,
  StoredIncident,
} from '../../core/delivery.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import {
  incidentToStore,
  isOpenFinding,
  isRescannedSince,
  replacementToStore,
  storedIncident,
} from '../../core/stored-documents.ts';
import { folderProblem, makeFolder, removeTemporaries, syncFolder, writeTemporary } from './durable-file.ts';
import { fileNameOf } from './file-name.ts';
import { LineLog } from './line-log.ts';

type Json = Record<string, unknown>;

const FOLDERS = { incident: 'incidents', ledger: 'ledger', finding: 'findings' } as const;
const LINE_FILES = { alert: 'alerts.ndjson', dead_letter: 'dead-letters.ndjson' } as const;
/** Files brought to the disk at the same time. */
const FILES_AT_ONCE = 16;

/** How often a document that cannot be read is read again, and after which pause. */
const READ_ATTEMPTS = 5;
const READ_PAUSE_MS = 20;

/** What is under way in each folder: stores of one process that share a folder take turns. */
const turns = new Map<string, Promise<unknown>>();

export interface OutputFolderOptions {
  now?: () => number;
}

export function createOutputFolder(folder: string, options: OutputFolderOptions = {}): OutputStore {
  return new OutputFolder(path.resolve(folder), options.now ?? Date.now);
}

/** A file that is to be replaced: what it holds now, as it was read, and what it is to hold. */
interface Replacement {
  file: string;
  /** Size and time of the file when it was read; null where there was none. */
  state: string | null;
  stored: Json | null;
  next: Json | null;
  writes: (IncidentWrite | ReplaceWrite)[];
  /** How many of the writes changed something. */
  changes: number;
}

class OutputFolder implements OutputStore {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #ids = { alert: new Set<string>(), dead_letter: new Set<string>() };
  readonly #logs: Record<AppendWrite['kind'], LineLog>;
  #isReady = false;

  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
    const log = (kind: AppendWrite['kind']) =>
      new LineLog(path.join(folder, LINE_FILES[kind]), (line) => {
        const id = idOfLine(line);
        if (id !== null) this.#ids[kind].add(id);
      });
    this.#logs = { alert: log('alert'), dead_letter: log('dead_letter') };
  }

  /** Creates the folders where they are missing. */
  check(signal?: AbortSignal): Promise<void> {
    return this.#inTurn(signal, async () => {});
  }

  deliver(writes: readonly OutputWrite[], signal?: AbortSignal): Promise<DeliveryReport> {
    return this.#inTurn(signal, async () => {
      const report: DeliveryReport = { written: 0, unchanged: 0, refused: [] };
      const changes = (await this.#append(writes)) + (await this.#replace(writes));
      report.written = changes;
      report.unchanged = writes.length - changes;
      return report;
    });
  }

  knownAlerts(ids: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    return this.#inTurn(signal, async () => {
      if (ids.length > 0) await this.#logs.alert.refresh();
      return new Set(ids.filter((id) => this.#ids.alert.has(id)));
    });
  }

  async incidents(tenant: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<StoredIncident[]> {
    const found = await this.#documentsThat(
      'incident',
      ({ relaywatch }) => {
        const { tenant: of, incident } = (relaywatch ?? {}) as { tenant?: string; incident?: { detected_at?: string } };
        const detectedMs = Date.parse(incident?.detected_at ?? '');
        return of === tenant && detectedMs >= fromMs && detectedMs < toMs;
      },
      signal,
    );
    return found.map(storedIncident);
  }

  async rescanned(tenant: string, sinceMs: number, signal?: AbortSignal): Promise<StoredIncident[]> {
    const isMeant = (stored: Json) => isRescannedSince(stored, tenant, sinceMs);
    return (await this.#documentsThat('incident', isMeant, signal)).map(storedIncident);
  }

  openFindings(tenant: string, signal?: AbortSignal): Promise<Json[]> {
    return this.#documentsThat('finding', (stored) => isOpenFinding(stored, tenant), signal);
  }

  #documentsThat(
    kind: 'incident' | 'finding',
    isMeant: (stored: Json) => boolean,
    signal?: AbortSignal,
  ): Promise<Json[]> {
    return this.#inTurn(signal, async () => {
      const folder = path.join(this.#folder, FOLDERS[kind]);
      const found: Json[] = [];
      for (const name of await readdir(folder)) {
        if (!name.endsWith('.json') || name.startsWith('.')) continue;
        const { stored } = await readDocument(path.join(folder, name));
        if (stored !== null && isMeant(stored)) found.push(stored);
      }
      return found;
    });
  }

  close(): Promise<void> {
    return this.#inTurn(undefined, async () => {
      await this.#logs.alert.close();
      await this.#logs.dead_letter.close();
    });
  }

  /** Runs when nothing else of this process is under way in the folder. */
  #inTurn<Result>(signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result> {
    const before = turns.get(this.#folder) ?? Promise.resolve();
    const turn = before.then(async () => {
      signal?.throwIfAborted();
      try {
        await this.#prepare();
        return await work();
      } catch (error) {
        const { syscall } = error as NodeJS.ErrnoException;
        throw syscall === undefined ? error : folderProblem(this.#folder, error);
      }
    });
    const settled = turn.catch(() => undefined);
    turns.set(this.#folder, settled);
    void settled.then(() => {
      if (turns.get(this.#folder) === settled) turns.delete(this.#folder);
    });
    return turn;
  }

  async #prepare(): Promise<void> {
    if (this.#isReady) return;
    for (const name of Object.values(FOLDERS)) {
      await makeFolder(path.join(this.#folder, name));
      await removeTemporaries(path.join(this.#folder, name));
    }
    this.#isReady = true;
  }

  /** Appends what is not there yet; how many those are. */
  async #append(writes: readonly OutputWrite[]): Promise<number> {
    let changes = 0;
    for (const kind of ['alert', 'dead_letter'] as const) {
      const own = writes.filter(isAppend).filter((write) => write.kind === kind);
      if (own.length === 0) continue;
      await this.#logs[kind].refresh();
      const lines = new Map<string, string>();
      for (const { id, document } of own) {
        if (!this.#ids[kind].has(id) && !lines.has(id)) lines.set(id, JSON.stringify({ _id: id, ...document }));
      }
      await this.#logs[kind].append([...lines.values()]);
      changes += lines.size;
    }
    return changes;
  }

  /** Replaces the files of incidents, the ledger and findings; how many writes changed something. */
  async #replace(writes: readonly OutputWrite[]): Promise<number> {
    const byFile = new Map<string, (IncidentWrite | ReplaceWrite)[]>();
    for (const write of writes) {
      if (isAppend(write)) continue;
      const file = path.join(this.#folder, FOLDERS[write.kind], `${fileNameOf(write.id)}.json`);
      byFile.set(file, [...(byFile.get(file) ?? []), write]);
    }
    let changes = 0;
    let waiting = [...byFile];
    while (waiting.length > 0) {
      const again: typeof waiting = [];
      for (let at = 0; at < waiting.length; at += FILES_AT_ONCE) {
        const group = waiting.slice(at, at + FILES_AT_ONCE);
        // All are worked out first: where one is fenced, nothing of the group is written.
        const replacements = await Promise.all(group.map(([file, own]) => this.#workOut(file, own)));
        const done = await Promise.all(replacements.map(replaceUnchanged));
        for (const [index, replacement] of replacements.entries()) {
          if (done[index]) changes += replacement.changes;
          else again.push(group[index]);
        }
      }
      waiting = again;
    }
    for (const name of new Set([...byFile.keys()].map((file) => path.dirname(file)))) await syncFolder(name);
    return changes;
  }

  async #workOut(file: string, writes: (IncidentWrite | ReplaceWrite)[]): Promise<Replacement> {
    const { state, stored } = await readDocument(file);
    const replacement: Replacement = { file, state, stored, next: null, writes, changes: 0 };
    for (const write of writes) {
      const now = replacement.next ?? stored;
      const next = write.kind === 'incident' ? this.#incident(write, now) : replaced(write, now);
      if (next === null) continue;
      replacement.next = next;
      replacement.changes += 1;
    }
    return replacement;
  }

  #incident(write: IncidentWrite, stored: Json | null): Json | null {
    return incidentToStore(write, stored === null ? null : storedIncident(stored), this.#now());
  }
}

function isAppend(write: OutputWrite): write is AppendWrite {
  return write.kind === 'alert' || write.kind === 'dead_letter';
}

function replaced(write: ReplaceWrite, stored: Json | null): Json | null {
  const { sequence } = (stored?.relaywatch ?? {}) as { sequence?: number };
  if (sequence !== undefined && sequence > write.sequence) return null;
  const next = replacementToStore(write);
  return JSON.stringify(next) === JSON.stringify(stored) ? null : next;
}

/** Replaces a file; false where somebody, a person with an editor, changed it since it was read. */
async function replaceUnchanged({ file, state, next }: Replacement): Promise<boolean> {
  if (next === null) return true;
  const bytes = Buffer.from(`${JSON.stringify(next, null, 2)}\n`);
  const temporary = await writeTemporary(path.dirname(file), [bytes]);
  // Without a pause between the look and the rename.
  if (stateOf(file) === state) {
    renameSync(temporary, file);
    return true;
  }
  await rm(temporary, { force: true });
  return false;
}

/** What changes when a file is written; null where there is none. */
function stateOf(file: string): string | null {
  const status = statSync(file, { throwIfNoEntry: false });
  return status === undefined ? null : `${status.ino} ${status.size} ${status.mtimeMs}`;
}

async function readDocument(file: string): Promise<{ state: string | null; stored: Json | null }> {
  for (let attempt = 0; ; attempt++) {
    const state = stateOf(file);
    if (state === null) return { state, stored: null };
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const stored = parseDocument(text);
    if (stored !== null) return { state, stored };
    // An editor may be writing it just now.
    if (attempt === READ_ATTEMPTS) break;
    await sleep(READ_PAUSE_MS);
  }
  throw new RelaywatchError({
    code: 'output_damaged',
    message: `${file} is no JSON document any more`,
    hint: 'mend it where it was edited, or move it away: it is written anew, without its triage',
  });
}

function parseDocument(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? (value as Json | null) : null;
  } catch {
    return null;
  }
}

/** The id that a line was written with; null for a line that somebody else wrote. */
function idOfLine(line: string): string | null {
  try {
    const { _id: id } = JSON.parse(line) as { _id?: unknown };
    return typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
}
