import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTAINER_CAPS, containerAt, expandContainer } from '../../../src/adapters/file/containers.ts';
import { zipOf } from './archives.ts';

let folder: string;
let number = 0;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-containers-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CAPS = { expandedBytes: 1_000_000, ratio: 200, ratioFromBytes: 100_000, entries: 5 };

/** What comes out of a container with these bytes. */
async function expanded(bytes: Uint8Array, caps = CONTAINER_CAPS) {
  const own = path.join(folder, String(number++));
  writeFileSync(own, bytes);
  const kind = await containerAt(own);
  if (kind === null) return null;
  let made = 0;
  const result = await expandContainer(own, kind, () => `${own}-${made++}`, caps);
  const files = result.files.map(({ name, location, bytes: size }) => {
    const text = readFileSync(location, 'utf8');
    expect(size).toBe(Buffer.byteLength(text));
    return { name, text };
  });
  // Whatever was refused leaves nothing behind.
  expect(readdirSync(folder).filter((name) => name.startsWith(`${path.basename(own)}-`))).toHaveLength(files.length);
  return { kind, files, refused: result.refused.map(({ name, code }) => `${name}: ${code}`) };
}

const ROWS = 'Received,SenderAddress\r\n2026-05-04,ann@contoso.com\r\n'.repeat(50);
const one = (text: string) => [{ name: '', text }];
const gzip = (text: string) => gzipSync(text);
const zstd = (text: string | Uint8Array, params = {}) => zstdCompressSync(text, { params });

function skippable(bytes: number): Buffer {
  const frame = Buffer.alloc(8 + bytes, 7);
  frame.writeUInt32LE(0x184d2a5a, 0);
  frame.writeUInt32LE(bytes, 4);
  return frame;
}

describe('one file', () => {
  test('gzip, with several members as one file', async () => {
    expect(await expanded(gzip(ROWS))).toEqual({ kind: 'gzip', files: one(ROWS), refused: [] });
    const joined = Buffer.concat([gzip('a'), gzip(''), gzip(ROWS)]);
    expect((await expanded(joined))?.files).toEqual(one(`a${ROWS}`));
  });

  test('zstd, with any number of frames and some to be skipped', async () => {
    expect(await expanded(zstd(ROWS))).toEqual({ kind: 'zstd', files: one(ROWS), refused: [] });
    const checked = { [constants.ZSTD_c_checksumFlag]: 1 };
    const unsized = { [constants.ZSTD_c_contentSizeFlag]: 0 };
    const noise = Buffer.from(Array.from({ length: 400_000 }, (_, i) => 32 + ((i * i * 31 + (i >> 5)) % 90)));
    const parts = [
      skippable(3),
      zstd('a', checked),
      zstd('', unsized),
      zstd(noise, checked),
      skippable(70_000),
      zstd(ROWS),
    ];
    expect((await expanded(Buffer.concat(parts)))?.files).toEqual(one(`a${noise}${ROWS}`));
  });

  test('what is none of them is left alone', async () => {
    expect(await expanded(Buffer.from(ROWS))).toBeNull();
    expect(await expanded(Buffer.from('PK'))).toBeNull();
    expect(await expanded(Buffer.alloc(0))).toBeNull();
  });

  test('damaged and cut ones are refused, wherever the cut is', async () => {
    const damaged = { files: [], refused: [': damaged_container'] };
    for (const [whole, last] of [
      [gzip(ROWS), 1],
      [Buffer.concat([zstd('a'), zstd(ROWS)]), 1],
    ] as const) {
      for (const length of [5, 12, whole.length >> 1, whole.length - last]) {
        expect(await expanded(whole.subarray(0, length)), `${length} of ${whole.length}`).toMatchObject(damaged);
      }
    }
    expect(await expanded(Buffer.concat([zstd(ROWS), Buffer.from('and more')]))).toMatchObject(damaged);
    expect(await expanded(Buffer.concat([gzip(ROWS), Buffer.from('and more')]))).toMatchObject(damaged);
  });
});

describe('ZIP archives', () => {
  test('give each file by its name, without what could lead elsewhere', async () => {
    const names = ['a.csv', 'sub/b.csv', '../../up.csv', '/root.csv', 'C:\\dos.csv', 'bad\nname.csv', 'a.csv', 'sub/'];
    const entries = names.map((name, i) => ({ name, bytes: Buffer.from(`${i}`), method: i % 2 === 0 ? 8 : 0 }));
    const result = await expanded(zipOf(entries));
    expect(result?.files).toEqual([
      { name: 'a.csv', text: '0' },
      { name: 'sub/b.csv', text: '1' },
      { name: 'up.csv', text: '2' },
      { name: 'root.csv', text: '3' },
      { name: 'C:/dos.csv', text: '4' },
      { name: 'bad?name.csv', text: '5' },
      { name: 'a.csv (2)', text: '6' },
    ]);
    expect(result?.refused).toEqual([]);
  });

  test('leave out what archivers add; may be empty', async () => {
    const bytes = Buffer.from('x');
    const added = zipOf([
      { name: '__MACOSX/._a.csv', bytes },
      { name: '.DS_Store', bytes },
    ]);
    expect(await expanded(added)).toEqual({ kind: 'zip', files: [], refused: [] });
    expect(await expanded(zipOf([]))).toEqual({ kind: 'zip', files: [], refused: [] });
  });

  test('refuse single files: locked, in another method, with a wrong checksum, or containers themselves', async () => {
    const bytes = Buffer.from(ROWS);
    const result = await expanded(
      zipOf([
        { name: 'locked.csv', bytes, flags: 1 },
        { name: 'deflate64.csv', bytes, method: 9 },
        { name: 'damaged.csv', bytes, checksum: 1 },
        { name: 'inner.csv.gz', bytes: gzip(ROWS), method: 0 },
        { name: 'inner.zip', bytes: zipOf([{ name: 'a', bytes }]) },
        { name: 'good.csv', bytes },
      ]),
    );
    expect(result?.files).toEqual([{ name: 'good.csv', text: ROWS }]);
    expect(result?.refused).toEqual([
      'locked.csv: locked_container',
      'deflate64.csv: locked_container',
      'damaged.csv: damaged_container',
      'inner.csv.gz: nested_container',
      'inner.zip: nested_container',
    ]);
  });

  test('a cut archive and one whose sizes lie are refused', async () => {
    const whole = zipOf([{ name: 'a.csv', bytes: Buffer.from(ROWS) }]);
    expect((await expanded(whole.subarray(0, whole.length - 30)))?.refused).toEqual([': damaged_container']);
    const lying = Buffer.from(whole);
    lying.writeUInt32LE(10, lying.indexOf('PK\x01\x02') + 24);
    expect((await expanded(lying))?.refused).toEqual(['a.csv: damaged_container']);
  });

  test('an Excel workbook is told as such', async () => {
    const workbook = zipOf([{ name: '[Content_Types].xml', bytes: Buffer.from('<Types/>') }]);
    expect((await expanded(workbook))?.refused).toEqual([': binary']);
  });
});

describe('bounds', () => {
  const zeros = Buffer.alloc(3_000_000, 0x30);
  const tooLarge = { files: [], refused: [': container_too_large'] };

  test('bytes and ratio, in each kind', async () => {
    const noise = Buffer.from(Array.from({ length: 1_100_000 }, (_, i) => (i * i * 31 + (i >> 5)) % 251));
    for (const bytes of [zeros, noise]) {
      expect(await expanded(gzipSync(bytes), CAPS)).toMatchObject(tooLarge);
      expect(await expanded(zstd(bytes), CAPS)).toMatchObject(tooLarge);
      expect(await expanded(zipOf([{ name: 'a', bytes }]), CAPS)).toMatchObject(tooLarge);
    }
    // Many small files make a bomb too.
    const shared = Array.from({ length: 4 }, (_, i) => ({ name: `${i}`, bytes: zeros.subarray(0, 90_000) }));
    expect(await expanded(zipOf(shared), CAPS)).toMatchObject(tooLarge);
    expect((await expanded(gzipSync(zeros.subarray(0, 90_000)), CAPS))?.files).toHaveLength(1);
  });

  test('files of an archive, frames of a zstd file', async () => {
    const entries = Array.from({ length: 6 }, (_, i) => ({ name: `${i}`, bytes: Buffer.from('x') }));
    expect((await expanded(zipOf(entries.slice(1)), CAPS))?.files).toHaveLength(5);
    expect(await expanded(zipOf(entries), CAPS)).toMatchObject(tooLarge);
    expect(await expanded(Buffer.concat(entries.map(() => zstd('x'))), CAPS)).toMatchObject(tooLarge);
  });

  test('archives inside gzip and zstd are refused, tar too', async () => {
    const tar = Buffer.alloc(1024);
    tar.write('ustar', 257);
    for (const inner of [gzip(ROWS), zstd(ROWS), zipOf([]), tar]) {
      expect((await expanded(gzipSync(inner)))?.refused).toEqual([': nested_container']);
      expect((await expanded(zstd(inner)))?.refused).toEqual([': nested_container']);
    }
  });
});
