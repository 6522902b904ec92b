import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Journal, type JournalOptions, openJournal } from '../../../src/adapters/file/journal.ts';
import { encodeEntry } from '../../../src/adapters/file/journal-segment.ts';
import { Fenced } from '../../../src/core/checkpoint.ts';
import { encodeEnvelope } from '../../../src/core/envelope-codec.ts';
import { Recorder, start, until } from '../contract/envelope-log.ts';
import { lineEnvelope } from './journal-lines.ts';
import { random, runAndKill } from './killed.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, line) => line);
const linesOf = (from: number, to: number) => upTo(to - from).map((line) => lineEnvelope(from + line));

describe('journal', () => {
  let root = '';
  let folder = '';
  let count = 0;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'relaywatch-journal-test-'));
  });
  beforeEach(() => {
    folder = join(root, String(count++));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  async function openOne(options: JournalOptions = {}): Promise<Journal> {
    const journal = await openJournal(folder, { segmentBytes: 4_000, idleMs: 10, batchEntries: 7, ...options });
    onTestFinished(() => journal.close());
    return journal;
  }

  /** Reads up to the end, from an offset or the start. */
  async function readAll(journal: Journal, from?: number): Promise<Recorder> {
    const recorder = new Recorder();
    if (from !== undefined) recorder.starts.set(0, from);
    const { stop, ended } = start(journal.source, recorder);
    await Promise.race([ended, until('everything is read', () => recorder.named('idle').length > 0)]);
    await stop();
    return recorder;
  }

  /** The numbers of the envelopes that were read; NaN for anything else. */
  const lines = (recorder: Recorder) =>
    recorder.received().map(({ envelope }) => {
      if (envelope?.header.kind !== 'rows') return Number.NaN;
      const sent = lineEnvelope(envelope.header.line);
      const isSame = isDeepStrictEqual(envelope.header, sent.header);
      return isSame && Buffer.compare(envelope.payload, sent.payload) === 0 ? envelope.header.line : Number.NaN;
    });

  const segments = () =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.log'))
      .sort();
  const offsets = (recorder: Recorder) => recorder.received().map(({ offset }) => offset);

  test('gives back what it was given, in order, with dense offsets, also when it is opened again', async () => {
    const first = await openOne();
    const before = Date.now();
    await Promise.all([
      first.sink.send(linesOf(0, 20)),
      first.sink.send([]),
      first.sink.send(linesOf(20, 21)),
      first.sink.send(linesOf(21, 50)),
    ]);
    expect([first.start, first.end]).toEqual([0, 50]);
    await first.close();
    const journal = await openOne();
    await journal.sink.send(linesOf(50, 60));
    const recorder = await readAll(journal);
    expect(lines(recorder)).toEqual(upTo(60));
    expect(offsets(recorder)).toEqual(upTo(60));
    for (const { appendedMs } of recorder.received()) expect(Math.abs(appendedMs - before)).toBeLessThan(60_000);
    expect(recorder.named('entries').at(-1)?.end).toBe(60);
    expect(recorder.calls.at(-1)?.call).toBe('revoked');
    expect(segments().length).toBeGreaterThan(1);
  });

  test('begins where the handler says, in a newer generation every time', async () => {
    const journal = await openOne();
    await journal.sink.send(linesOf(0, 30));
    const generations: number[] = [];
    for (const from of [0, 17, 29, 30]) {
      const recorder = await readAll(journal, from);
      expect(offsets(recorder)).toEqual(upTo(30).slice(from));
      expect(recorder.named('gap')).toEqual([]);
      generations.push(recorder.named('assigned')[0].generation ?? 0);
    }
    await journal.close();
    generations.push((await readAll(await openOne())).named('assigned')[0].generation ?? 0);
    expect(generations).toEqual([1, 2, 3, 4, 5]);
  });

  test('says what it no longer has', async () => {
    const journal = await openOne();
    for (const line of upTo(40)) await journal.sink.send([lineEnvelope(line)]);
    await journal.trim(20);
    expect(journal.start).toBeGreaterThan(10);
    expect(journal.start).toBeLessThanOrEqual(20);
    expect(segments()[0]).toBe(`${String(journal.start).padStart(16, '0')}.log`);
    const again = await readAll(journal, 3);
    expect(again.named('gap')).toEqual([{ call: 'gap', partition: 0, expected: 3, found: journal.start }]);
    expect(offsets(again)).toEqual(upTo(40).slice(journal.start));
    await journal.trim(1000);
    expect(segments()).toHaveLength(1);
    await journal.sink.send([lineEnvelope(40)]);
    await journal.close();
    const opened = await openOne();
    expect(opened.end).toBe(41);
    const beyond = await readAll(opened, 77);
    expect(beyond.named('gap')).toEqual([{ call: 'gap', partition: 0, expected: 77, found: opened.start }]);
  });

  test('says what was removed while the handler was slow', async () => {
    const journal = await openOne();
    for (const line of upTo(60)) await journal.sink.send([lineEnvelope(line)]);
    const recorder = new Recorder();
    recorder.during = ({ call }) => (call === 'entries' ? journal.trim(40) : undefined);
    const { stop } = start(journal.source, recorder);
    await until('everything is read', () => recorder.named('idle').length > 0);
    await stop();
    expect(recorder.named('gap')).toEqual([{ call: 'gap', partition: 0, expected: 7, found: journal.start }]);
    expect(offsets(recorder)).toEqual([...upTo(7), ...upTo(60).slice(journal.start)]);
  });

  test('hands over what comes later, and is idle again and again', async () => {
    const journal = await openOne();
    const recorder = new Recorder();
    start(journal.source, recorder);
    await until('it is idle twice', () => recorder.named('idle').length > 1);
    for (let line = 0; line < 30; line += 3) {
      await journal.sink.send(linesOf(line, line + 3));
      await sleep(line);
    }
    await until('everything is read', () => recorder.received().length === 30);
    expect(offsets(recorder)).toEqual(upTo(30));
  });

  test('ends with the failure of its handler, and begins anew where it was fenced', async () => {
    const journal = await openOne({ now: () => 1_800_000_000_000 });
    await journal.sink.send(linesOf(0, 3));
    const failing = new Recorder();
    const failure = new Error('the disk is full');
    failing.during = ({ call }) => (call === 'entries' ? Promise.reject(failure) : undefined);
    await expect(start(journal.source, failing).ended).rejects.toBe(failure);
    expect(failing.owned().size).toBe(0);
    const fenced = new Recorder();
    let times = 0;
    fenced.during = ({ call }) => (call === 'assigned' && times++ < 2 ? Promise.reject(new Fenced('it')) : undefined);
    const { stop } = start(journal.source, fenced);
    await until('all is read', () => fenced.received().length === 3);
    await stop();
    const nowMs = 1_800_000_000_000;
    expect(fenced.named('assigned').map(({ generation }) => generation)).toEqual([2, nowMs * 1_024, nowMs * 1_024 + 1]);
  });

  test('takes a generation of the clock where the outputs hold documents of another pipeline', async () => {
    const nowMs = 1_800_000_000_000;
    const journal = await openOne({ now: () => nowMs });
    await journal.sink.send(linesOf(0, 3));
    // Documents that a worker of Kafka wrote a while ago.
    const stored = (nowMs - 60_000) * 1_024 + 7;
    const recorder = new Recorder();
    recorder.during = ({ call, generation = 0 }) =>
      call === 'entries' && generation < stored ? Promise.reject(new Fenced('Incident rwi-1')) : undefined;
    const { stop } = start(journal.source, recorder);
    await until('all is read', () => recorder.named('idle').length > 0);
    await stop();
    const generations = () => recorder.named('assigned').map(({ generation }) => generation);
    expect(generations()).toEqual([1, nowMs * 1_024]);
    await journal.close();
    const next = start((await openOne({ now: () => nowMs - 86_400_000 })).source, recorder);
    await until('it is opened again', () => generations().length === 3);
    await next.stop();
    expect(generations()[2]).toBe(nowMs * 1_024 + 1);
  });

  test('ends where the stores hold what is newer than any generation that it can take', async () => {
    const journal = await openOne();
    await journal.sink.send(linesOf(0, 3));
    const recorder = new Recorder();
    recorder.during = ({ call }) => (call === 'entries' ? Promise.reject(new Fenced('Incident rwi-1')) : undefined);
    await expect(start(journal.source, recorder).ended).rejects.toMatchObject({
      code: 'newer_generation',
      message: expect.stringContaining('Incident rwi-1 belongs to a newer generation'),
      hint: expect.stringContaining('outputs'),
    });
    expect(recorder.named('assigned').length).toBe(3);
    expect(recorder.owned().size).toBe(0);
  });

  test('counts only the refusals that follow each other', async () => {
    const journal = await openOne();
    const recorder = new Recorder();
    let idles = 0;
    recorder.during = ({ call }) =>
      call === 'idle' && ++idles % 3 === 0 ? Promise.reject(new Fenced('Incident rwi-1')) : undefined;
    const { stop } = start(journal.source, recorder);
    await until('it was fenced often', () => idles > 15);
    await stop();
  });

  test('stops after the call under way', async () => {
    const journal = await openOne();
    await journal.sink.send(linesOf(0, 30));
    const recorder = new Recorder();
    const busy = Promise.withResolvers<void>();
    recorder.during = ({ call }) => (call === 'entries' ? busy.promise : undefined);
    const { stop } = start(journal.source, recorder);
    await until('a call is under way', () => recorder.named('entries').length > 0);
    let stopped = false;
    const stopping = stop().then(() => {
      stopped = true;
    });
    await sleep(50);
    expect(stopped).toBe(false);
    busy.resolve();
    await stopping;
    expect(recorder.calls.map(({ call }) => call)).toEqual(['assigned', 'entries', 'revoked']);
  });

  test('does not send for those who have stopped, nor for a closed journal', async () => {
    const journal = await openOne();
    const aborted = AbortSignal.abort(new Error('stopped'));
    await expect(journal.sink.send(linesOf(0, 1), aborted)).rejects.toThrow('stopped');
    await journal.close();
    await expect(journal.sink.send(linesOf(0, 1))).rejects.toThrow('closed');
    expect((await openOne()).end).toBe(0);
  });

  test('hands over what is no envelope, with the reason, and stops at a newer schema', async () => {
    await (await openOne()).close();
    const file = join(folder, segments()[0]);
    const { header, body } = encodeEnvelope(lineEnvelope(1));
    const damaged = Uint8Array.from(body, (byte, index) => (index === 9 ? byte ^ 1 : byte));
    const newer = lineEnvelope(2);
    newer.header.schema = 2;
    appendFileSync(file, encodeEntry({ header, body: damaged }, 1));
    appendFileSync(file, encodeEntry({ header, body }, 1));
    const recorder = await readAll(await openOne());
    expect(recorder.received().map(({ problem }) => problem)).toEqual([
      'the entry is no envelope: its checksum does not match its bytes',
      null,
    ]);
    expect(Buffer.from(recorder.received()[0].bytes).equals(damaged)).toBe(true);
    appendFileSync(file, encodeEntry(encodeEnvelope(newer), 1));
    const { ended } = start((await openOne()).source, new Recorder());
    await expect(ended).rejects.toMatchObject({ code: 'envelope_newer' });
  });

  test('cuts off a torn end at every byte, and keeps the entries before it', async () => {
    const journal = await openOne({ segmentBytes: 1e6 });
    await journal.sink.send(linesOf(0, 3));
    const size = statSync(join(folder, segments()[0])).size;
    await journal.sink.send([lineEnvelope(3)]);
    await journal.close();
    const file = join(folder, segments()[0]);
    const whole = readFileSync(file);
    for (let length = size; length < whole.length; length += 1 + (length % 7)) {
      writeFileSync(file, whole.subarray(0, length));
      if (length % 2 === 0) appendFileSync(file, Buffer.alloc(5000));
      const opened = await openJournal(folder);
      expect(opened.end, `of ${length} bytes`).toBe(3);
      await opened.close();
      expect(statSync(file).size).toBe(size);
    }
  });

  test('tells damage in the middle, and loses nothing else', async () => {
    const journal = await openOne();
    for (const line of upTo(40)) await journal.sink.send([lineEnvelope(line)]);
    await journal.close();
    const names = segments();
    const inside = (name: string, change: (bytes: Buffer) => void) => {
      const bytes = readFileSync(join(folder, name));
      change(bytes);
      writeFileSync(join(folder, name), bytes);
    };
    // A byte of the first entry; the length of the first entry of the next segment.
    inside(names[0], (bytes) => bytes.writeUInt8(bytes[40] ^ 1, 40));
    inside(names[1], (bytes) => bytes.writeUInt32LE(0xffffffff, 0));
    const bases = names.map((name) => Number.parseInt(name, 10));
    const recorder = await readAll(await openOne());
    expect(recorder.received()[0]).toMatchObject({ offset: 0, envelope: null });
    expect(recorder.received()[0].problem).toContain('damaged');
    expect(recorder.named('gap')).toMatchObject([{ expected: bases[1], found: bases[2] }]);
    expect(offsets(recorder)).toEqual(upTo(40).filter((offset) => offset < bases[1] || offset >= bases[2]));
    // A damaged entry of the newest segment is not taken for its torn end.
    await (await openOne()).sink.send([lineEnvelope(40), lineEnvelope(41)]);
    inside(segments().at(-1) ?? '', (bytes) => bytes.writeUInt8(bytes[40] ^ 1, 40));
    expect((await openOne()).end).toBe(42);
  });

  test('says what to do about a folder that it cannot write', async () => {
    writeFileSync(folder, 'a file');
    await expect(openOne()).rejects.toMatchObject({ code: 'state_not_writable' });
    rmSync(folder);
    const journal = await openOne();
    await journal.close();
    writeFileSync(join(folder, 'generation'), 'many');
    await expect(readAll(await openOne())).rejects.toMatchObject({ code: 'journal_damaged' });
  });

  test('takes back a write that failed, and goes on', async () => {
    const journal = await openOne({ segmentBytes: 1 });
    await journal.sink.send(linesOf(0, 2));
    // The next segment cannot be made: its name is taken.
    writeFileSync(join(folder, '0000000000000002.log'), '');
    await expect(journal.sink.send(linesOf(2, 3))).rejects.toMatchObject({ code: 'state_not_writable' });
    rmSync(join(folder, '0000000000000002.log'));
    await journal.sink.send(linesOf(2, 3));
    expect(lines(await readAll(journal))).toEqual([0, 1, 2]);
  });

  test('loses nothing that was acknowledged when it is killed at any moment', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const chance = random(seed);
    const safe: number[] = [];
    let next = 0;
    for (let round = 0; round < 6; round++) {
      safe.push(...(await runAndKill('journal-child.ts', [folder, String(next)], chance() * 150)).map(Number));
      const journal = await openJournal(folder, { idleMs: 10 });
      const recorder = await readAll(journal);
      const read = recorder.received();
      expect(recorder.named('gap'), `seed ${seed}`).toEqual([]);
      const found = lines(recorder);
      expect(offsets(recorder)).toEqual(upTo(read.length));
      expect(found).not.toContain(Number.NaN);
      const there = new Set(found);
      expect(
        safe.filter((line) => !there.has(line)),
        `seed ${seed}`,
      ).toEqual([]);
      next = Math.max(...found) + 1;
      await journal.close();
    }
    expect(next).toBeGreaterThan(50);
  });
});
