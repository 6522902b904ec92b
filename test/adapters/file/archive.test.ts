import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Archive, createArchive } from '../../../src/adapters/file/archive.ts';
import { random, runAndKill } from './killed.ts';

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
/** Bytes that compress, differ everywhere, and end in the middle of a frame. */
const LARGE = Buffer.from(Array.from({ length: 260_000 }, (_, n) => `${n * 7919},a@b.example\n`).join(''));

describe('archive', () => {
  let root = '';
  let folder = '';
  let count = 0;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'relaywatch-archive-test-'));
  });
  beforeEach(() => {
    folder = join(root, String(count++));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const open = (): Archive => createArchive(folder);
  function write(name: string, bytes: Uint8Array): string {
    const file = join(root, name);
    writeFileSync(file, bytes);
    return file;
  }
  const placeOf = (sha256: string) => join(folder, 'contoso', sha256.slice(0, 2), `${sha256}.zst`);

  test('gives back any range of what was put into it', async () => {
    expect(LARGE.length).toBeGreaterThan(5_000_000);
    const archive = open();
    const file = write('large.csv', LARGE);
    const { sha256, isNew } = await archive.put('contoso', file);
    expect([sha256, isNew]).toEqual([hashOf(LARGE), true]);
    const place = placeOf(sha256);
    expect(statSync(place).size).toBeLessThan(LARGE.length / 2);
    const seed = Math.floor(Math.random() * 1e9);
    const chance = random(seed);
    const ranges = Array.from({ length: 60 }, () => [
      Math.floor(chance() * LARGE.length),
      Math.floor(chance() * (chance() < 0.5 ? 300 : 3_000_000)),
    ]);
    ranges.push([0, LARGE.length], [0, 0], [LARGE.length - 1, 10], [LARGE.length, 10], [1e12, 1], [1_048_575, 2]);
    for (const [offset, length] of ranges) {
      const bytes = await archive.read('contoso', sha256, offset, length);
      const note = `${length} bytes at ${offset}, seed ${seed}`;
      expect(Buffer.compare(bytes, LARGE.subarray(offset, offset + length)), note).toBe(0);
    }
    // Any tool for zstd reads it.
    expect(hashOf(zstdDecompressSync(readFileSync(place)))).toBe(sha256);
    const target = join(root, `extracted-${count}`);
    await archive.extract('contoso', sha256, target);
    expect(hashOf(readFileSync(target))).toBe(sha256);
  });

  test('keeps an export once for each tenant, and says what is known of it', async () => {
    const archive = open();
    const file = write('small.csv', Buffer.from('one'));
    const sha256 = hashOf(Buffer.from('one'));
    await archive.put('contoso', file);
    const { mtimeMs } = statSync(placeOf(sha256));
    expect(await archive.put('contoso', file, { name: 'other.csv' })).toEqual({ sha256, isNew: false });
    expect(await archive.put('contoso', join(root, 'absent.csv'), { sha256 })).toEqual({ sha256, isNew: false });
    expect(statSync(placeOf(sha256)).mtimeMs).toBe(mtimeMs);
    expect((await archive.put('fabrikam', file)).isNew).toBe(true);
    const kept = { sha256, name: 'small.csv', bytes: 3, first: null, last: null, layout: null };
    expect(await archive.list('contoso')).toEqual([kept]);
    const [first, last] = ['2026-09-05T18:00:00.000Z', '2026-09-06T18:00:00.000Z'];
    await archive.describe('contoso', sha256, { first, last });
    expect(await open().list('contoso')).toEqual([{ ...kept, first, last }]);
    expect(await archive.list('fabrikam')).toEqual([kept]);
    expect(await archive.list('nobody')).toEqual([]);
    expect(readdirSync(join(folder, 'contoso'))).toEqual([sha256.slice(0, 2)]);
  });

  test('keeps an empty file, and one that does not compress', async () => {
    const archive = open();
    for (const bytes of [Buffer.alloc(0), randomBytes(1_048_576), randomBytes(1_048_577)]) {
      const { sha256 } = await archive.put('contoso', write('any', bytes));
      expect(Buffer.compare(await archive.read('contoso', sha256, 0, 2_000_000), bytes)).toBe(0);
      const target = join(root, `any-${bytes.length}`);
      await archive.extract('contoso', sha256, target);
      expect(hashOf(readFileSync(target))).toBe(sha256);
    }
  });

  test('makes no path of a tenant, a name or a hash', async () => {
    const archive = open();
    const file = write('named.csv', Buffer.from('x'));
    const { sha256 } = await archive.put('../outside', file, { name: '../../name\n' });
    expect(await archive.list('../outside')).toMatchObject([{ name: '../../name\n' }]);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^id-[0-9a-f]{64}$/)]);
    await expect(archive.read('contoso', '../../etc/passwd', 0, 1)).rejects.toThrow('no SHA-256');
    await expect(archive.read('contoso', sha256, 0, 1)).rejects.toMatchObject({ code: 'not_archived' });
    const nowhere = archive.extract('../outside', sha256, join(root, 'no/folder'));
    await expect(nowhere).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('follows no link where it must not, and takes no folder', async () => {
    const archive = open();
    symlinkSync(write('linked.csv', Buffer.from('x')), join(root, 'link.csv'));
    const put = archive.put('contoso', join(root, 'link.csv'), { noFollow: true });
    await expect(put).rejects.toMatchObject({ code: 'not_a_file' });
    await expect(archive.put('contoso', root)).rejects.toMatchObject({ code: 'not_a_file' });
    await expect(archive.put('contoso', join(root, 'absent'))).rejects.toMatchObject({ code: 'not_found' });
    expect(existsSync(folder)).toBe(false);
  });

  test('keeps nothing of a file that is another one than was meant, or that changes', async () => {
    const archive = open();
    const file = write('changing.csv', LARGE);
    const wrong = archive.put('contoso', file, { sha256: 'ab'.repeat(32) });
    await expect(wrong).rejects.toMatchObject({ code: 'file_changed' });
    const growing = archive.put('contoso', file);
    await new Promise((resolve) => setTimeout(resolve, 2));
    appendFileSync(file, 'more');
    await expect(growing).rejects.toMatchObject({ code: 'file_changed' });
    const stopped = archive.put('contoso', file, { signal: AbortSignal.abort(new Error('stopping')) });
    await expect(stopped).rejects.toThrow('stopping');
    expect(readdirSync(join(folder, 'contoso'))).toEqual([]);
  });

  test('notices every damaged byte', async () => {
    const { sha256 } = await open().put('contoso', write('good.csv', LARGE));
    const place = placeOf(sha256);
    const good = readFileSync(place);
    const seed = Math.floor(Math.random() * 1e9);
    const chance = random(seed);
    const places = Array.from({ length: 30 }, () => Math.floor(chance() * good.length));
    for (const at of [...places, good.length - 1, good.length - 9, good.length - 20]) {
      const bytes = Buffer.from(good);
      bytes[at] ^= 1 << Math.floor(chance() * 8);
      writeFileSync(place, bytes);
      const archive = createArchive(folder);
      const target = join(root, 'damaged');
      // A bit that no decoder looks at does no damage: then the export comes back whole.
      const extracted = await archive.extract('contoso', sha256, target).then(
        () => hashOf(readFileSync(target)),
        (error) => error.code,
      );
      expect([sha256, 'archive_damaged'], `byte ${at}, seed ${seed}`).toContain(extracted);
      expect(existsSync(target)).toBe(extracted === sha256);
      rmSync(target, { force: true });
      const reading = createArchive(folder).read('contoso', sha256, 0, LARGE.length);
      const read = await reading.then(hashOf, (error) => error.code);
      expect([sha256, 'archive_damaged'], `byte ${at}, seed ${seed}`).toContain(read);
    }
    for (const length of [0, 5, 1000, good.length - 1]) {
      writeFileSync(place, good.subarray(0, length));
      await expect(open().read('contoso', sha256, 0, 1)).rejects.toMatchObject({ code: 'archive_damaged' });
    }
  });

  test('has whole exports only when it is killed at any moment', async () => {
    const seed = Math.floor(Math.random() * 1e9);
    const chance = random(seed);
    const files = Array.from({ length: 12 }, (_, n) => write(`export-${n}`, LARGE.subarray(0, 400_000 * n)));
    const safe = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const output = await runAndKill('archive-child.ts', [folder, ...files], 20 + chance() * 150);
      for (const sha256 of output.slice(1)) safe.add(sha256);
      const archive = createArchive(folder);
      const kept = (await archive.list('contoso')).map(({ sha256 }) => sha256);
      expect(kept, `seed ${seed}`).toEqual(expect.arrayContaining([...safe]));
      for (const sha256 of kept) {
        const target = join(root, 'whole');
        await archive.extract('contoso', sha256, target);
        rmSync(target);
      }
    }
    expect(safe.size).toBeGreaterThan(0);
    const left = () => readdirSync(join(folder, 'contoso')).filter((name) => name.startsWith('.'));
    // What was begun a moment ago may be another worker's.
    const begun = left();
    await open().put('contoso', files[1]);
    expect(left()).toEqual(begun);
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const name of begun) utimesSync(join(folder, 'contoso', name), longAgo, longAgo);
    await open().put('contoso', files[1]);
    expect(left()).toEqual([]);
  });
});
