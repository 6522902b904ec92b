import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  type FolderWatch,
  openWatch,
  type WatchOptions,
  watchFolder,
} from '../../../src/adapters/file/watch-folder.ts';
import { random, runAndKill } from './killed.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const SETTLE_MS = 1_000;
const GROWING_AFTER_MS = 20_000;
const QUIET_MS = 100_000;

describe('folder watch', () => {
  let root = '';
  let folder = '';
  let state = '';
  let count = 0;
  /** What was handed over: `name content-start` of files, `name from..to` of growth. */
  let taken: string[] = [];
  let problems: string[] = [];
  let nowMs = 0;
  let tenantOf: WatchOptions['tenantOf'] = () => 'contoso';
  let onFile: (name: string) => Promise<unknown> = async () => undefined;
  let ids: string[] = [];
  /** Whether files can grow. */
  let grows = true;

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'relaywatch-watch-test-'));
  });
  beforeEach(() => {
    folder = join(root, String(count), 'exports');
    state = join(root, String(count++), 'state');
    mkdirSync(folder, { recursive: true });
    [taken, problems, ids, nowMs, grows] = [[], [], [], 0, true];
    tenantOf = () => 'contoso';
    onFile = async () => undefined;
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  function options(): WatchOptions {
    return {
      path: folder,
      stateFolder: state,
      tenantOf: (name) => tenantOf(name),
      async onFile(file) {
        await onFile(file.name);
        expect(file.sha256).toBe(sha256(readFileSync(file.path, 'utf8')));
        taken.push(`${file.name} ${file.tenant} ${file.bytes}`);
        return grows ? { offset: file.bytes } : null;
      },
      async onGrowth(growth) {
        taken.push(`${growth.name} ${growth.from?.offset ?? 0}..${growth.bytes}`);
        ids.push(growth.id);
        return { offset: growth.bytes };
      },
      async onQuiet(file) {
        expect(file.sha256).toBe(sha256(readFileSync(file.path, 'utf8')));
        taken.push(`${file.name} quiet ${file.bytes}`);
      },
      onProblem: (name, problem) => void problems.push(`${name}: ${problem}`),
      signal: new AbortController().signal,
      settleMs: SETTLE_MS,
      growingAfterMs: GROWING_AFTER_MS,
      quietMs: QUIET_MS,
      now: () => nowMs,
    };
  }

  async function open(): Promise<FolderWatch> {
    const watch = await openWatch(options());
    onTestFinished(() => watch.close());
    return watch;
  }

  /** Looks, lets the settle time pass, and looks again; what was handed over since the last time. */
  async function settled(watch: FolderWatch): Promise<string[]> {
    await watch.look();
    nowMs += SETTLE_MS;
    await watch.look();
    return taken.splice(0);
  }

  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const append = (name: string, text: string) => appendFileSync(join(folder, name), text);

  test('hands over a file once it has settled, and once', async () => {
    const watch = await open();
    write('a.csv', 'x'.repeat(10));
    await watch.look();
    nowMs += SETTLE_MS - 1;
    await watch.look();
    expect(taken).toEqual([]);
    nowMs += 1;
    await watch.look();
    expect(taken.splice(0)).toEqual(['a.csv contoso 10']);
    for (let turn = 0; turn < 3; turn++) expect(await settled(watch)).toEqual([]);
    await watch.close();
    expect(await settled(await open())).toEqual([]);
  });

  test('waits for a file that is copied slowly', async () => {
    const watch = await open();
    for (let part = 0; part < 12; part++) {
      append('slow.csv', 'x'.repeat(1000));
      nowMs += SETTLE_MS / 2;
      await watch.look();
    }
    expect(taken).toEqual([]);
    expect(await settled(watch)).toEqual(['slow.csv contoso 12000']);
  });

  test('leaves unfinished names until they are renamed', async () => {
    const watch = await open();
    const names = ['.hidden.csv', 'a.csv.tmp', 'b.PART', 'c.partial', 'd.csv~'];
    for (const name of names) write(name, name);
    mkdirSync(join(folder, '.git'));
    write('.git/e.csv', 'e');
    expect(await settled(watch)).toEqual([]);
    renameSync(join(folder, 'a.csv.tmp'), join(folder, 'a.csv'));
    expect(await settled(watch)).toEqual(['a.csv contoso 9']);
  });

  test('knows a file by its content: renamed, copied, touched, deleted and back', async () => {
    mkdirSync(join(folder, 'sub'));
    write('a.csv', 'content');
    let watch = await open();
    expect(await settled(watch)).toEqual(['a.csv contoso 7']);
    renameSync(join(folder, 'a.csv'), join(folder, 'sub/b.csv'));
    copyFileSync(join(folder, 'sub/b.csv'), join(folder, 'c.csv'));
    utimesSync(join(folder, 'c.csv'), 1e9, 1e9);
    expect(await settled(watch)).toEqual([]);
    rmSync(join(folder, 'c.csv'));
    expect(await settled(watch)).toEqual([]);
    await watch.close();
    watch = await open();
    write('a.csv', 'content');
    expect(await settled(watch)).toEqual([]);
    // What is known of its content under another name goes on.
    append('a.csv', ', more');
    expect(await settled(watch)).toEqual(['a.csv 7..13']);
  });

  test('hands the same content over for each tenant', async () => {
    tenantOf = (name) => (name.includes('/') ? name.split('/')[0] : null);
    for (const tenant of ['contoso', 'fabrikam']) {
      mkdirSync(join(folder, tenant));
      write(`${tenant}/a.csv`, 'same');
    }
    write('nobody.csv', 'same');
    const watch = await open();
    expect(await settled(watch)).toEqual(['contoso/a.csv contoso 4', 'fabrikam/a.csv fabrikam 4']);
    await settled(watch);
    expect(problems).toEqual(['nobody.csv: it belongs to no tenant']);
  });

  test('takes other content under the same name for another file', async () => {
    const watch = await open();
    write('a.csv', 'one, two');
    await settled(watch);
    for (const text of ['ONE, two', 'one', 'other, and longer', 'other']) {
      write('a.csv', text);
      expect(await settled(watch), text).toEqual([`a.csv contoso ${text.length}`]);
    }
    const long = 'x'.repeat(20_000);
    write('a.csv', long);
    await settled(watch);
    // The first and the last 4 KiB of what was handed over are the same, but not all of it.
    write('a.csv', `${long.slice(0, 10_000)}y${long.slice(10_001)}and more`);
    expect(await settled(watch)).toEqual(['a.csv contoso 20008']);
  });

  test('hands over what a file has more, under one id, until it is replaced', async () => {
    let watch = await open();
    write('log.csv', 'x'.repeat(5000));
    expect(await settled(watch)).toEqual(['log.csv contoso 5000']);
    append('log.csv', 'y'.repeat(10));
    expect(await settled(watch)).toEqual(['log.csv 5000..5010']);
    // It is known to grow: no need to wait.
    append('log.csv', 'z');
    await watch.look();
    expect(taken.splice(0)).toEqual(['log.csv 5010..5011']);
    await watch.close();
    append('log.csv', 'while nobody looked');
    watch = await open();
    expect(await settled(watch)).toEqual(['log.csv 5011..5030']);
    utimesSync(join(folder, 'log.csv'), 1e9, 1e9);
    expect(await settled(watch)).toEqual([]);
    expect(new Set(ids)).toEqual(new Set([sha256(`log.csv\0${sha256('x'.repeat(4096))}`)]));
    truncateSync(join(folder, 'log.csv'), 0);
    append('log.csv', 'x'.repeat(6000));
    expect(await settled(watch)).toEqual(['log.csv contoso 6000']);
    append('log.csv', 'more');
    expect(await settled(watch)).toEqual(['log.csv 6000..6004']);
  });

  test('tells when a growing file rests, and then knows it under another name', async () => {
    let watch = await open();
    write('log.csv', 'one');
    await settled(watch);
    append('log.csv', ', two');
    expect(await settled(watch)).toEqual(['log.csv 3..8']);
    nowMs += QUIET_MS;
    expect(await settled(watch)).toEqual(['log.csv quiet 8']);
    nowMs += QUIET_MS;
    expect(await settled(watch)).toEqual([]);
    renameSync(join(folder, 'log.csv'), join(folder, 'log-1.csv'));
    write('log.csv', 'anew');
    expect(await settled(watch)).toEqual(['log.csv contoso 4']);
    await watch.close();
    watch = await open();
    append('log-1.csv', ', three');
    expect(await settled(watch)).toEqual(['log-1.csv 8..15']);
    append('log-1.csv', '.');
    expect(await settled(watch)).toEqual(['log-1.csv 15..16']);
    nowMs += QUIET_MS;
    expect(await settled(watch)).toEqual(['log-1.csv quiet 16']);
  });

  test('takes a longer file for another one where it cannot go on', async () => {
    grows = false;
    const watch = await open();
    write('a.json', '[1]');
    await settled(watch);
    append('a.json', '[2]');
    expect(await settled(watch)).toEqual(['a.json contoso 6']);
  });

  test('takes a file that never settles for a growing one, but not one that shrinks', async () => {
    const watch = await open();
    write('other.csv', '');
    for (let part = 0; part <= 50; part++) {
      append('endless.csv', 'x'.repeat(1000));
      write('other.csv', 'y'.repeat(50 - part));
      await watch.look();
      nowMs += SETTLE_MS / 2;
    }
    expect(taken[0]).toBe('endless.csv 0..41000');
    expect(taken[1]).toBe('endless.csv 41000..42000');
    expect(taken.filter((one) => one.startsWith('other'))).toEqual([]);
    expect(new Set(ids)).toEqual(new Set([sha256(`endless.csv\0${sha256('x'.repeat(4096))}`)]));
  });

  test('follows no links, and reports once what cannot be read', async () => {
    writeFileSync(join(root, 'secret.csv'), 'secret');
    symlinkSync(join(root, 'secret.csv'), join(folder, 'link.csv'));
    symlinkSync(root, join(folder, 'loop'));
    const watch = await open();
    expect(await settled(watch)).toEqual([]);
    expect(problems).toEqual([]);
    // Who may read everything sees no unreadable file.
    if (process.getuid?.() === 0) return;
    write('locked.csv', 'x');
    chmodSync(join(folder, 'locked.csv'), 0);
    for (let turn = 0; turn < 3; turn++) expect(await settled(watch)).toEqual([]);
    expect(problems).toEqual([expect.stringContaining('locked.csv: ')]);
    chmodSync(join(folder, 'locked.csv'), 0o600);
    expect(await settled(watch)).toEqual(['locked.csv contoso 1']);
  });

  test('goes on when the folder is away for a while, and refuses one that never was', async () => {
    const watch = await open();
    write('a.csv', 'x');
    await settled(watch);
    renameSync(folder, `${folder}-away`);
    expect(await settled(watch)).toEqual([]);
    expect(problems).toEqual([': it cannot be read: ENOENT']);
    renameSync(`${folder}-away`, folder);
    write('b.csv', 'y');
    expect(await settled(watch)).toEqual(['b.csv contoso 1']);
    folder = join(root, 'nowhere');
    await expect(open()).rejects.toMatchObject({ code: 'watched_folder' });
  });

  test('hands a file over again when it changed on the way, or whoever takes it fails', async () => {
    let watch = await open();
    write('a.csv', 'x');
    let fails: unknown = Object.assign(new Error('changed'), { code: 'file_changed' });
    onFile = async () => {
      if (fails !== null) throw fails;
    };
    expect(await settled(watch)).toEqual([]);
    fails = new Error('the log is broken');
    await expect(settled(watch)).rejects.toThrow('the log is broken');
    await watch.close();
    fails = null;
    watch = await open();
    expect(await settled(watch)).toEqual(['a.csv contoso 1']);
  });

  test('writes its memory anew when most of it is superseded', async () => {
    let watch = await open();
    write('log.csv', 'x');
    await settled(watch);
    for (let turn = 0; turn < 1_100; turn++) {
      append('log.csv', 'x');
      await watch.look();
    }
    await settled(watch);
    await watch.close();
    watch = await open();
    expect(readFileSync(join(state, 'watch.ndjson'), 'utf8').split('\n').length).toBeLessThan(10);
    expect(await settled(watch)).toEqual([]);
    append('log.csv', 'x');
    expect(await settled(watch)).toEqual(['log.csv 1101..1102']);
    write('again.csv', 'x');
    expect(await settled(watch)).toEqual([]);
  });

  test('runs until it is stopped', async () => {
    write('a.csv', 'x');
    const stopping = new AbortController();
    const real = { ...options(), signal: stopping.signal, now: undefined, settleMs: 5, pollMs: 2 };
    await watchFolder({
      ...real,
      async onFile() {
        stopping.abort();
        return null;
      },
    });
    await expect(watchFolder({ ...real, signal: AbortSignal.timeout(50) })).resolves.toBeUndefined();
    expect(taken).toEqual([]);
  });

  test('loses no file when it is killed at any moment', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const chance = random(seed);
    const log = join(root, `taken-${count}`);
    const wanted: string[] = [];
    writeFileSync(log, '');
    for (let round = 0; round < 5; round++) {
      for (let file = 0; file < 10; file++) {
        const name = `${round}-${file}.csv`;
        write(name, name);
        wanted.push(`${name} ${sha256(name)}`);
      }
      await runAndKill('watch-child.ts', [folder, state, log], 20 + chance() * 60);
    }
    const times = () => readFileSync(log, 'utf8').split('\n').slice(0, -1);
    while (new Set(times()).size < wanted.length) {
      const before = times().length;
      await runAndKill('watch-child.ts', [folder, state, log], 300);
      expect(times().length, `seed ${seed}`).toBeGreaterThan(before);
    }
    expect(new Set(times())).toEqual(new Set(wanted));
    // Twice at most where the kill came between taking and remembering: once a round.
    expect(times().length, `seed ${seed}`).toBeLessThanOrEqual(wanted.length + 8);
  });
});
