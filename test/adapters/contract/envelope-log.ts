/** What every envelope log does, whatever keeps it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Fenced } from '../../../src/core/checkpoint.ts';
import type { Envelope, RowsHeader } from '../../../src/core/envelope.ts';
import { encodeEnvelope } from '../../../src/core/envelope-codec.ts';
import type { EnvelopeSink, EnvelopeSource, LogEntry, PartitionHandler } from '../../../src/core/envelope-log.ts';

/** A log that is empty, and what a test does to it from outside. */
export interface LogUnderTest {
  partitions: number;
  sink(): EnvelopeSink;
  /** A new member of one group. */
  source(): EnvelopeSource;
  /** Appends bytes that need be no envelope. */
  append(partition: number, header: Uint8Array, body: Uint8Array): Promise<void>;
  /** Makes the log forget the entries before an offset. */
  truncate(partition: number, before: number): Promise<void>;
}

const FILE = 'cd'.repeat(32);

/** Envelope `line` of a tenant. */
export function envelope(tenant: string, line: number): Envelope {
  const layout = { format: 'message-trace', encoding: 'utf-8', shape: 'csv', delimiter: 44, dateOrder: null } as const;
  const payload = new TextEncoder().encode(`${tenant},${line},${'x'.repeat(line % 300)}\n`);
  return {
    header: {
      kind: 'rows',
      schema: 1,
      tenant,
      file: { id: FILE, name: 'trace.csv' },
      layout: { ...layout, columns: ['tenant', 'line', 'fill'] },
      offset: line * 1000,
      line,
      records: 1,
    },
    payload,
  };
}

/**
 * Calls of all members of a group for each partition, so that two at once are noticed. `revoked` may come late, when
 * another has begun: it may overlap with calls of other handlers, never with those of its own.
 */
export class Arena {
  readonly overlaps: string[] = [];
  readonly #busy: { partition: number; call: string; of: PartitionHandler }[] = [];

  enter(of: PartitionHandler, partition: number, call: string): void {
    for (const other of this.#busy) {
      const isLate = call === 'revoked' || other.call === 'revoked';
      if (other.partition !== partition || (other.of !== of && isLate)) continue;
      this.overlaps.push(`${call} of ${partition} during ${other.call}`);
    }
    this.#busy.push({ partition, call, of });
  }

  leave(of: PartitionHandler, partition: number): void {
    const place = this.#busy.findIndex((one) => one.of === of && one.partition === partition);
    this.#busy.splice(place, 1);
  }
}

interface Call {
  call: 'assigned' | 'entries' | 'gap' | 'idle' | 'revoked';
  partition: number;
  generation?: number;
  entries?: readonly LogEntry[];
  end?: number;
  expected?: number;
  found?: number;
}

/** A handler that remembers what it is told. */
export class Recorder implements PartitionHandler {
  readonly calls: Call[] = [];
  /** Where to begin, by partition; null where nothing is set. */
  readonly starts = new Map<number, number>();
  /** Is awaited inside of each call. */
  during: (call: Call) => Promise<unknown> | undefined = () => undefined;
  readonly #arena: Arena;

  constructor(arena = new Arena()) {
    this.#arena = arena;
  }

  async assigned(partition: number, generation: number): Promise<number | null> {
    await this.#call({ call: 'assigned', partition, generation });
    return this.starts.get(partition) ?? null;
  }

  async entries(partition: number, generation: number, entries: readonly LogEntry[], end: number) {
    await this.#call({ call: 'entries', partition, generation, entries, end });
    return entries[entries.length - 1].offset + 1;
  }

  gap(partition: number, expected: number, found: number): Promise<void> {
    return this.#call({ call: 'gap', partition, expected, found });
  }

  async idle(partition: number, generation: number): Promise<null> {
    await this.#call({ call: 'idle', partition, generation });
    return null;
  }

  revoked(partition: number): Promise<void> {
    return this.#call({ call: 'revoked', partition });
  }

  async #call(call: Call): Promise<void> {
    this.#arena.enter(this, call.partition, call.call);
    try {
      this.calls.push(call);
      await this.during(call);
    } finally {
      this.#arena.leave(this, call.partition);
    }
  }

  named(name: Call['call'], partition?: number): Call[] {
    return this.calls.filter((one) => one.call === name && (partition ?? one.partition) === one.partition);
  }

  /** Everything handed over, in the order in which it was. */
  received(partition?: number): LogEntry[] {
    return this.named('entries', partition).flatMap(({ entries }) => entries!);
  }

  /** The lines of each tenant, in the order in which they came. */
  lines(): Map<string, number[]> {
    const lines = new Map<string, number[]>();
    for (const { envelope } of this.received()) {
      const { header } = envelope!;
      lines.set(header.tenant, [...(lines.get(header.tenant) ?? []), header.kind === 'rows' ? header.line : -1]);
    }
    return lines;
  }

  /** The partitions that are its own now. */
  owned(): Set<number> {
    const owned = new Set<number>();
    for (const { call, partition } of this.calls) {
      if (call === 'assigned') owned.add(partition);
      if (call === 'revoked') owned.delete(partition);
    }
    return owned;
  }
}

/** For what hangs: some of it waits for rebalances, on a machine that others use too. */
const TIMEOUT_MS = 90_000;

export async function until(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + TIMEOUT_MS; !condition(); await sleep(10)) {
    if (Date.now() > deadline) throw new Error(`waited ${TIMEOUT_MS / 1000} s in vain until ${what}`);
  }
}

/** Runs a source until it is stopped, at the latest when the test ends. */
export function start(
  source: EnvelopeSource,
  handler: PartitionHandler,
): { stop(): Promise<void>; ended: Promise<void> } {
  const stopping = new AbortController();
  const ended = source.run(handler, stopping.signal);
  ended.catch(() => {});
  const stop = async () => {
    stopping.abort();
    await ended;
  };
  onTestFinished(() => stop().catch(() => {}));
  return { stop, ended };
}

export function describeEnvelopeLogContract(name: string, create: () => Promise<LogUnderTest>): void {
  const tenants = ['contoso', 'fabrikam', 'tailspin', 'woodgrove', 'adatum', 'litware'];

  /** Lines `[from, to)` of all tenants, in turn. */
  const linesOf = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, line) => tenants.map((tenant) => envelope(tenant, from + line))).flat();

  async function fill(log: LogUnderTest, lines: number): Promise<void> {
    const sink = log.sink();
    await sink.send(linesOf(0, lines));
    await sink.close();
  }

  /** Reads the log once, and says what was in it. */
  async function readAll(log: LogUnderTest, lines: number): Promise<Recorder> {
    const recorder = new Recorder();
    const { stop } = start(log.source(), recorder);
    await until('everything is read', () => recorder.received().length >= lines * tenants.length);
    await stop();
    return recorder;
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, line) => line);

  describe(`envelope log: ${name}`, () => {
    test('gives back what it was given, each tenant in order, from one partition', async () => {
      const log = await create();
      const sink = log.sink();
      await Promise.all([
        sink.send(linesOf(0, 20)),
        sink.send(linesOf(20, 21)),
        sink.send([]),
        sink.send(linesOf(21, 50)),
      ]);
      await sink.close();
      const before = Date.now();
      const recorder = await readAll(log, 50);
      expect([...recorder.lines()].sort()).toEqual(tenants.map((tenant) => [tenant, upTo(50)] as const).sort());
      const places = new Map<string, Set<number>>();
      for (const { partition, entries } of recorder.named('entries')) {
        for (const { envelope: read, problem, appendedMs } of entries!) {
          const { header, payload } = read!;
          expect(problem).toBeNull();
          expect(Math.abs(appendedMs - before)).toBeLessThan(60_000);
          const { tenant } = header;
          places.set(tenant, (places.get(tenant) ?? new Set()).add(partition));
          const sent = envelope(tenant, header.kind === 'rows' ? header.line : -1);
          expect({ header, payload: Buffer.from(payload) }).toEqual({ ...sent, payload: Buffer.from(sent.payload) });
        }
      }
      expect([...places.values()].map((set) => set.size)).toEqual(tenants.map(() => 1));
      expect(new Set([...places.values()].flatMap((set) => [...set])).size).toBeGreaterThan(1);
      // Within one partition offsets grow, and the end is that of the log.
      for (const partition of recorder.owned().values()) expect(partition).toBeLessThan(log.partitions);
      for (let partition = 0; partition < log.partitions; partition++) {
        const calls = recorder.named('entries', partition);
        const offsets = recorder.received(partition).map(({ offset }) => offset);
        expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
        for (const { entries, end } of calls) expect(end).toBeGreaterThan(entries![entries!.length - 1].offset);
        if (calls.length > 0) expect(calls[calls.length - 1].end).toBe(offsets[offsets.length - 1] + 1);
      }
    });

    test('begins where the handler says, whatever was read before, or with the oldest entry', async () => {
      const log = await create();
      await fill(log, 30);
      const first = await readAll(log, 30);
      const again = new Recorder();
      const partition = first.received(0).length > 2 ? 0 : first.named('entries')[0].partition;
      const all = first.received(partition).map(({ offset }) => offset);
      again.starts.set(partition, all[all.length - 2]);
      const expected = first.received().length - all.length + 2;
      const { stop } = start(log.source(), again);
      await until('the rest is read', () => again.received().length >= expected);
      await stop();
      expect(again.received(partition).map(({ offset }) => offset)).toEqual(all.slice(-2));
      expect(again.received().length).toBe(expected);
      expect(again.named('gap')).toEqual([]);
      const generations = [first, again].map((one) =>
        Math.max(...one.named('assigned').map((call) => call.generation!)),
      );
      expect(generations[1]).toBeGreaterThan(generations[0]);
    });

    test('says that it has handed over everything, again and again, and what comes then', async () => {
      const log = await create();
      await fill(log, 5);
      const recorder = new Recorder();
      start(log.source(), recorder);
      await until('all partitions are idle twice', () =>
        upTo(log.partitions).every((partition) => recorder.named('idle', partition).length >= 2),
      );
      expect(recorder.received().length).toBe(5 * tenants.length);
      for (let partition = 0; partition < log.partitions; partition++) {
        const names = recorder.calls.filter((call) => call.partition === partition).map(({ call }) => call);
        expect(names.indexOf('idle')).toBeGreaterThan(names.lastIndexOf('entries'));
      }
      const sink = log.sink();
      await sink.send([envelope('contoso', 5)]);
      await sink.close();
      await until('it is handed over', () => recorder.received().length === 5 * tenants.length + 1);
    });

    test('moves partitions between members without loss or two at once', async () => {
      const log = await create();
      const arena = new Arena();
      const [first, second] = [new Recorder(arena), new Recorder(arena)];
      const callMs = new Map([first, second].map((one) => [one, 15]));
      for (const one of [first, second]) {
        one.during = ({ call }) => (call === 'idle' ? undefined : sleep(callMs.get(one)!));
      }
      const sink = log.sink();
      const lines = 40;
      const sending = (async () => {
        for (let line = 0; line < lines; line++) {
          await sink.send(linesOf(line, line + 1));
          await sleep(40);
        }
      })();
      const one = start(log.source(), first);
      await until('the first has everything', () => first.received().length > tenants.length);
      // Partitions move while calls are under way that do not end soon.
      callMs.set(first, 900);
      const two = start(log.source(), second);
      await until(
        'they share',
        () => second.owned().size > 0 && first.owned().size === log.partitions - second.owned().size,
      );
      callMs.set(first, 15);
      expect(second.owned().size).toBeGreaterThan(0);
      await until('both have read', () => second.received().length > 0);
      await one.stop();
      expect(first.owned().size).toBe(0);
      await until('the second has everything', () => second.owned().size === log.partitions);
      await sending;
      const seen = () =>
        new Set(
          [first, second].flatMap((each) =>
            [...each.lines()].flatMap(([tenant, all]) => all.map((line) => `${tenant} ${line}`)),
          ),
        );
      await until('all is read', () => seen().size === lines * tenants.length);
      await two.stop();
      await sink.close();
      expect(arena.overlaps).toEqual([]);
      for (let partition = 0; partition < log.partitions; partition++) {
        const takers = [first, second].map((each) => each.named('assigned', partition).map((call) => call.generation!));
        expect(Math.max(...takers[1])).toBeGreaterThan(Math.max(...takers[0]));
      }
    });

    test('says what it no longer has', async () => {
      const log = await create();
      await fill(log, 30);
      const first = await readAll(log, 30);
      const partition = first.named('entries')[0].partition;
      const offsets = first.received(partition).map(({ offset }) => offset);
      await log.truncate(partition, offsets[5]);
      const again = new Recorder();
      again.starts.set(partition, offsets[2]);
      const reading = start(log.source(), again);
      await until('the rest is read', () => again.received(partition).length === offsets.length - 5);
      expect(again.named('gap')).toEqual([{ call: 'gap', partition, expected: offsets[2], found: offsets[5] }]);
      expect(again.received(partition)[0].offset).toBe(offsets[5]);
      await reading.stop();

      const end = offsets[offsets.length - 1] + 1;
      await log.truncate(partition, end);
      const empty = new Recorder();
      empty.starts.set(partition, offsets[2]);
      const waiting = start(log.source(), empty);
      await until('the gap is noticed', () => empty.named('gap').length > 0);
      expect(empty.named('gap')).toEqual([{ call: 'gap', partition, expected: offsets[2], found: end }]);
      await waiting.stop();

      const beyond = new Recorder();
      beyond.starts.set(partition, end + 7);
      const { stop } = start(log.source(), beyond);
      await until('it is noticed that the log begins anew', () => beyond.named('gap').length > 0);
      expect(beyond.named('gap')).toEqual([{ call: 'gap', partition, expected: end + 7, found: end }]);
      await stop();
    });

    test('says what was forgotten while the handler was slow', async () => {
      const log = await create();
      await fill(log, 5);
      const recorder = new Recorder();
      let finish = (): void => {};
      const busy = new Promise<void>((resolve) => {
        finish = resolve;
      });
      recorder.during = ({ call }) => (call === 'entries' ? busy : undefined);
      const { stop } = start(log.source(), recorder);
      await until('a call is under way', () => recorder.named('entries').length > 0);
      const { partition, entries } = recorder.named('entries')[0];
      const kept = entries![entries!.length - 1].offset + 21;
      const sink = log.sink();
      await sink.send(linesOf(5, 60));
      await sink.close();
      // The handler is slow enough to have its partition set aside.
      await sleep(800);
      await log.truncate(partition, kept);
      expect(recorder.named('gap')).toEqual([]);
      finish();
      const lastLine = () => recorder.received(partition).at(-1)?.envelope?.header as RowsHeader | undefined;
      await until('the rest is read', () => lastLine()?.line === 59);
      await stop();
      const offsets = recorder.received(partition).map(({ offset }) => offset);
      const missing = Array.from({ length: kept }, (_, offset) => offset).filter((offset) => !offsets.includes(offset));
      const gaps = recorder.named('gap', partition).map(({ expected, found }) => [expected, found]);
      expect(missing.length).toBeGreaterThan(0);
      expect(gaps).toEqual([[missing[0], kept]]);
      expect(offsets).toContain(kept);
    });

    test('hands over what is no envelope, with the reason, and goes on', async () => {
      const log = await create();
      const { header, body } = encodeEnvelope(envelope('contoso', 1));
      const damaged = Uint8Array.from(body, (byte, index) => (index === 9 ? byte ^ 1 : byte));
      await log.append(1, header, body);
      await log.append(1, header, damaged);
      await log.append(1, new Uint8Array(0), Uint8Array.of(1, 2, 3));
      await log.append(1, header, body);
      const recorder = new Recorder();
      const { stop } = start(log.source(), recorder);
      await until('all four are handed over', () => recorder.received().length === 4);
      await stop();
      const entries = recorder.received(1);
      expect(entries.map((entry) => entry.envelope === null)).toEqual([false, true, true, false]);
      expect(entries.map((entry) => entry.problem)).toEqual([
        null,
        'the entry is no envelope: its checksum does not match its bytes',
        'the entry is no envelope: its header does not end with a checksum',
        null,
      ]);
      expect(Buffer.from(entries[1].bytes).equals(damaged)).toBe(true);
      expect([...entries[2].bytes]).toEqual([1, 2, 3]);
    });

    test('stops at an envelope of a newer schema', async () => {
      const log = await create();
      const newer = envelope('contoso', 1);
      newer.header.schema = 2;
      const { header, body } = encodeEnvelope(newer);
      await log.append(0, header, body);
      const recorder = new Recorder();
      const { ended } = start(log.source(), recorder);
      await expect(ended).rejects.toMatchObject({ code: 'envelope_newer' });
      expect(recorder.received()).toEqual([]);
      expect(recorder.owned().size).toBe(0);
    });

    test('stops when asked, after the call under way', async () => {
      const log = await create();
      await fill(log, 30);
      const recorder = new Recorder();
      let finish = (): void => {};
      const busy = new Promise<void>((resolve) => {
        finish = resolve;
      });
      recorder.during = ({ call }) => (call === 'entries' ? busy : undefined);
      const { stop } = start(log.source(), recorder);
      await until('a call is under way', () => recorder.named('entries').length > 0);
      let stopped = false;
      const stopping = stop().then(() => {
        stopped = true;
      });
      await sleep(300);
      expect(stopped).toBe(false);
      finish();
      await stopping;
      expect(recorder.owned().size).toBe(0);
      const { length } = recorder.calls;
      await sleep(200);
      expect(recorder.calls.length).toBe(length);
    });

    test('goes on with the others while one partition is slow', async () => {
      const log = await create();
      await fill(log, 30);
      const recorder = new Recorder();
      let finish = (): void => {};
      const busy = new Promise<void>((resolve) => {
        finish = resolve;
      });
      let slow = -1;
      recorder.during = ({ call, partition }) => {
        if (call !== 'entries') return;
        if (slow < 0) slow = partition;
        return partition === slow ? busy : undefined;
      };
      start(log.source(), recorder);
      await until(
        'the others are idle',
        () => new Set(recorder.named('idle').map((one) => one.partition)).size === log.partitions - 1,
      );
      const sink = log.sink();
      await sink.send(linesOf(30, 31));
      await sink.close();
      await until('the others have what came since', () =>
        [...recorder.lines().values()].some((lines) => lines.includes(30)),
      );
      finish();
      await until('all is read', () => recorder.received().length >= 31 * tenants.length);
      expect([...recorder.lines().values()]).toEqual(tenants.map(() => upTo(31)));
    });

    test('ends with the failure of its handler', async () => {
      const log = await create();
      await fill(log, 3);
      const recorder = new Recorder();
      const failure = new Error('the disk is full');
      recorder.during = ({ call }) => (call === 'entries' ? Promise.reject(failure) : undefined);
      const { ended } = start(log.source(), recorder);
      await expect(ended).rejects.toBe(failure);
      expect(recorder.owned().size).toBe(0);
    });

    test('takes a partition anew, in a newer generation, when the handler is fenced', async () => {
      const log = await create();
      await fill(log, 3);
      const recorder = new Recorder();
      let fenced = 0;
      recorder.during = ({ call, partition }) =>
        call === 'assigned' && partition === 1 && fenced++ < 2 ? Promise.reject(new Fenced('partition 1')) : undefined;
      start(log.source(), recorder);
      await until('all is read', () => recorder.received().length >= 3 * tenants.length && fenced > 2);
      const generations = recorder.named('assigned', 1).map((call) => call.generation!);
      expect(generations.length).toBeGreaterThan(2);
      expect(new Set(generations).size).toBe(generations.length);
      expect(generations).toEqual([...generations].sort((a, b) => a - b));
    });

    test('does not send for those who have stopped', async () => {
      const log = await create();
      const sink = log.sink();
      await expect(sink.send(linesOf(0, 1), AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
      await sink.send(linesOf(0, 1));
      await sink.close();
      expect((await readAll(log, 1)).received().length).toBe(tenants.length);
    });
  });
}
