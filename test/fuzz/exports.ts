/** Exports that somebody damaged: fixtures of every format, cut, overwritten, joined and doubled. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';

const FIXTURES = path.join(import.meta.dirname, '../fixtures');
/** The largest damaged export: pieces that are doubled again and again grow. */
const MAX_BYTES = 200_000;

export interface Fixture {
  name: string;
  bytes: Uint8Array;
}

/** All exports beside the golden files; the sorted names make a seed mean the same everywhere. */
export function readFixtures(): Fixture[] {
  return readdirSync(FIXTURES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.endsWith('.expected.ndjson'))
    .map((entry) => path.relative(FIXTURES, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
    .map((name) => ({ name, bytes: readFileSync(path.join(FIXTURES, name)) }));
}

/** What breaks readers. */
const POISON = [
  '"',
  '""',
  '\\',
  '\r',
  '\n',
  '\r\n',
  ',',
  ';',
  '\t',
  '\0',
  '{',
  '}',
  '[',
  ']',
  '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[',
  'null',
  '"__proto__":{"polluted":1},',
  '"constructor":{"prototype":{"polluted":1}},',
  '__proto__',
  '<m:properties>',
  '</m:properties>',
  '<__proto__>1</__proto__>',
  '<!DOCTYPE x [<!ENTITY a "b">]>',
  '<!--',
  '<![CDATA[',
  '&lol9;',
  '<',
  '>',
  '##',
  '##Receive, Fail;',
  '#TYPE x\r\n',
  '#Fields: date-time,event-id\r\n',
  'sep=;\r\n',
  '\ufeff',
  '\ud83d\ude00',
  '9999999999999999999999',
  '-1',
  '1e309',
  '/Date(8640000000000001)/',
  '13/13/2026 25:61:61 XM',
  '0000-00-00T00:00:00Z',
  '<>',
  '@',
  'a@b.example;c@d.example',
  '"a;b"@c.example',
  '::ffff:1.2.3.4%25eth0',
  'xn--',
  'bounces+SRS=abcde=Zz@contoso.com',
  '{LED=550 5.7.750 x};{FQDN=',
  '{"properties":{',
  '{"_source":',
  '"event.original":"{',
].map((text) => Buffer.from(text));

/** A share of the length; mostly behind the header, without which a file is refused whole. */
const place = fc.oneof(
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  { weight: 5, arbitrary: fc.double({ min: 0.4, max: 1, noNaN: true }) },
);
const bytes = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...POISON) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 8 }).map((some) => Buffer.from(some)) },
);

type Damage =
  | { kind: 'cut'; at: number }
  | { kind: 'flip'; at: number; mask: number }
  | { kind: 'insert'; at: number; bytes: Buffer }
  | { kind: 'overwrite'; at: number; bytes: Buffer }
  | { kind: 'remove'; at: number; length: number }
  | { kind: 'repeat'; at: number; length: number; times: number }
  | { kind: 'splice'; at: number; other: number; from: number; length: number };

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('flip' as const), at: place, mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes }),
  fc.record({ kind: fc.constant('overwrite' as const), at: place, bytes }),
  fc.record({ kind: fc.constant('remove' as const), at: place, length: fc.integer({ min: 1, max: 300 }) }),
  fc.record({
    kind: fc.constant('repeat' as const),
    at: place,
    length: fc.integer({ min: 1, max: 600 }),
    times: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({
    kind: fc.constant('splice' as const),
    at: place,
    other: fc.nat(),
    from: place,
    length: fc.integer({ min: 1, max: 4_000 }),
  }),
);

export interface DamagedExport {
  fixture: string;
  damages: readonly Damage[];
  bytes: Uint8Array;
  /** Where the file is cut into chunks, shares of its length in order. */
  cuts: readonly number[];
}

export function damagedExport(fixtures: readonly Fixture[]): fc.Arbitrary<DamagedExport> {
  return fc
    .record({
      fixture: fc.nat({ max: fixtures.length - 1 }),
      damages: fc.array(damage, { minLength: 1, maxLength: 6 }),
      cuts: fc.array(place, { maxLength: 5 }),
    })
    .map(({ fixture: index, damages, cuts }) => {
      const fixture = fixtures[index];
      const damaged = damages.reduce<Buffer>((whole, one) => applied(whole, one, fixtures), Buffer.from(fixture.bytes));
      const sorted = [...cuts].sort((one, other) => one - other);
      return { fixture: fixture.name, damages, bytes: damaged, cuts: sorted };
    });
}

function applied(whole: Buffer, one: Damage, fixtures: readonly Fixture[]): Buffer {
  const at = Math.floor(one.at * whole.length);
  switch (one.kind) {
    case 'cut':
      return whole.subarray(0, at);
    case 'flip': {
      const flipped = Buffer.from(whole);
      if (at < flipped.length) flipped[at] ^= one.mask;
      return flipped;
    }
    case 'insert':
      return joined(whole.subarray(0, at), one.bytes, whole.subarray(at));
    case 'overwrite':
      return joined(whole.subarray(0, at), one.bytes, whole.subarray(at + one.bytes.length));
    case 'remove':
      return joined(whole.subarray(0, at), whole.subarray(at + one.length));
    case 'repeat':
      return joined(
        whole.subarray(0, at),
        ...Array<Buffer>(one.times).fill(whole.subarray(at, at + one.length)),
        whole.subarray(at),
      );
    case 'splice': {
      const other = Buffer.from(fixtures[one.other % fixtures.length].bytes);
      const from = Math.floor(one.from * other.length);
      return joined(whole.subarray(0, at), other.subarray(from, from + one.length), whole.subarray(at));
    }
  }
}

function joined(...parts: Buffer[]): Buffer {
  return Buffer.concat(parts).subarray(0, MAX_BYTES);
}
