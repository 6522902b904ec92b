/** Checkpoints in a folder: the contract, kill -9, and one process at a time. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createCheckpointFolder, lockFolder } from '../../../src/adapters/file/checkpoint-folder.ts';
import { Fenced } from '../../../src/core/checkpoint.ts';
import { describeCheckpointsContract } from '../contract/checkpoints.ts';

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'relaywatch-checkpoints-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const newFolder = () => path.join(mkdtempSync(path.join(parent, 'state-')), 'not', 'there', 'yet');
const SOURCE = path.resolve(import.meta.dirname, '../../../src/adapters/file/checkpoint-folder.ts');

describeCheckpointsContract('folder', async () => {
  const folder = newFolder();
  return {
    open: () => createCheckpointFolder(folder),
    async change(key, part, change) {
      const file = path.join(folder, `key-${key}`, part === null ? 'manifest' : `part-${part}`);
      writeFileSync(file, change(readFileSync(file)));
    },
    async list() {
      return readdirSync(folder, { recursive: true }).map(String);
    },
  };
});

/** Runs a module in a process of its own, which gets the source and the folder as arguments; reads its first line. */
async function start(folder: string, code: string): Promise<{ child: ChildProcess; line: string }> {
  const program = `const [source, folder] = process.argv.slice(1); const file = await import(source); ${code}`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program, SOURCE, folder];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [output] = await once(child.stdout!, 'data');
  return { child, line: String(output).trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

describe('a process that is killed', () => {
  test('keeps its claim: an older generation stays fenced', async () => {
    const folder = newFolder();
    const { child } = await start(
      folder,
      "await file.createCheckpointFolder(folder).claim('p', 9); console.log('claimed'); setInterval(() => {}, 1000);",
    );
    await kill(child);
    const store = createCheckpointFolder(folder);
    await expect(store.claim('p', 8)).rejects.toThrow(Fenced);
    await expect(store.claim('p', 9)).rejects.toThrow(Fenced);
    expect(await store.claim('p', 10)).toBeNull();
  });

  test('leaves the old or the new manifest with all of its parts, and no litter', async () => {
    const folder = newFolder();
    // As fast as it can: a part, the manifest that names it, and away with the part before.
    const code = `
      const store = file.createCheckpointFolder(folder);
      const generation = Date.now();
      const held = await store.claim('p', generation);
      let number = held === null ? 0 : Number(Buffer.from(held.bytes));
      for (;;) {
        number++;
        await store.putPart('p', String(number), Buffer.alloc(100_000, number));
        await store.save('p', generation, Buffer.from(String(number)));
        await store.keepParts('p', [String(number)]);
        if (number % 5 === 0) console.log(number);
      }`;
    let last = 0;
    for (let round = 0; round < 4; round++) {
      const { child } = await start(folder, code);
      await new Promise((resolve) => setTimeout(resolve, 7 * round));
      await kill(child);
      const store = createCheckpointFolder(folder);
      const held = await store.claim('p', Date.now());
      const number = Number(Buffer.from(held!.bytes));
      expect(number).toBeGreaterThan(last);
      expect(Buffer.compare((await store.part('p', String(number)))!, Buffer.alloc(100_000, number))).toBe(0);
      await store.keepParts('p', [String(number)]);
      expect(readdirSync(path.join(folder, 'key-p')).sort()).toEqual(['claim', 'manifest', `part-${number}`]);
      last = number;
    }
  });
});

describe('the lock of a state folder', () => {
  const HOLD = "await file.lockFolder(folder); console.log('locked'); setInterval(() => {}, 1000);";

  test('keeps a second process away, and says which process has it', async () => {
    const folder = newFolder();
    const { child } = await start(folder, HOLD);
    await expect(lockFolder(folder)).rejects.toMatchObject({
      code: 'state_in_use',
      message: expect.stringContaining(`The state in ${folder} is used by process ${child.pid} on `),
      hint: expect.stringContaining('relaywatch.lock'),
    });
  });

  test('is taken over from a process that was killed', async () => {
    const folder = newFolder();
    await kill((await start(folder, HOLD)).child);
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(`process ${process.pid}`);
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
    await (await lockFolder(folder)).release();
  });

  test.runIf(process.platform === 'linux')('is taken over when its number belongs to another process now', async () => {
    const folder = newFolder();
    await (await lockFolder(folder)).release();
    const machine = 'here';
    const holder = { pid: process.pid, started: 'another boot 1', machine, nonce: 'n' };
    writeFileSync(path.join(folder, 'relaywatch.lock'), JSON.stringify(holder));
    await (await lockFolder(folder, { machine })).release();
  });

  test('of another machine counts as long as it is touched', async () => {
    const folder = newFolder();
    const there = await lockFolder(folder, { machine: 'there', heartbeatMs: 20 });
    await expect(lockFolder(folder, { machine: 'here', heartbeatMs: 100 })).rejects.toThrow('on there');
    const { nonce: _, ...rest } = JSON.parse(readFileSync(path.join(folder, 'relaywatch.lock'), 'utf8'));
    await there.release();
    // One that nobody touches any more.
    writeFileSync(path.join(folder, 'relaywatch.lock'), JSON.stringify({ ...rest, nonce: 'old' }));
    await (await lockFolder(folder, { machine: 'here', heartbeatMs: 10 })).release();
  });

  test('that nobody wrote to its end is no lock', async () => {
    const folder = newFolder();
    await (await lockFolder(folder)).release();
    writeFileSync(path.join(folder, 'relaywatch.lock'), '{"pid": 1');
    await (await lockFolder(folder, { heartbeatMs: 10 })).release();
  });

  test('goes to one of many', async () => {
    const folder = newFolder();
    await (await lockFolder(folder)).release();
    for (let round = 0; round < 5; round++) {
      // Left behind by a process that is gone.
      const holder = { pid: 999_999_999, started: null, machine: 'here', nonce: String(round) };
      writeFileSync(path.join(folder, 'relaywatch.lock'), JSON.stringify(holder));
      const locks = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder, { machine: 'here' })));
      const taken = locks.filter((lock) => lock.status === 'fulfilled');
      expect(taken).toHaveLength(1);
      await taken[0].value.release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});

test('says what to do when the folder cannot be written', async () => {
  const folder = newFolder();
  await (await lockFolder(folder)).release();
  const file = path.join(folder, 'a-file');
  writeFileSync(file, '');
  const problem = { code: 'state_not_writable', message: expect.stringContaining(file) };
  await expect(createCheckpointFolder(file).claim('p', 1)).rejects.toMatchObject(problem);
  await expect(lockFolder(file)).rejects.toMatchObject(problem);
});
