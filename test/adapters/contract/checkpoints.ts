/** What every checkpoint store does. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { CHECKPOINT_SCHEMA, type CheckpointStore, Fenced } from '../../../src/core/checkpoint.ts';

/** Where checkpoints are kept, as several workers see it. */
export interface CheckpointPlace {
  /** The store of another worker. */
  open(): CheckpointStore;
  /** Changes what is stored under our feet: the manifest (null), or a part. */
  change(key: string, part: string | null, change: (stored: Uint8Array) => Uint8Array): Promise<void>;
  /** Names of the files or keys there are, whatever they are called. */
  list(): Promise<string[]>;
}

export function describeCheckpointsContract(name: string, create: () => Promise<CheckpointPlace>): void {
  describe(`${name} as checkpoint store`, () => {
    /** A fresh place and the stores of as many workers. */
    async function workers(count: number): Promise<{ place: CheckpointPlace; stores: CheckpointStore[] }> {
      const place = await create();
      const stores = Array.from({ length: count }, () => place.open());
      onTestFinished(async () => {
        for (const store of stores) await store.close();
      });
      return { place, stores };
    }

    test('has nothing at first, and then what was saved', async () => {
      const { stores } = await workers(2);
      const [first, second] = stores;
      expect(await first.claim('detect/0', 1)).toBeNull();
      await first.save('detect/0', 1, bytesOf('one'));
      await first.save('detect/0', 1, bytesOf('two'));
      expect(textOf((await second.claim('detect/0', 2))!)).toBe('1: two');
      expect(await second.claim('detect/1', 2)).toBeNull();
      await second.save('detect/0', 2, new Uint8Array(0));
      expect(textOf((await second.claim('detect/0', 3))!)).toBe('2: ');
    });

    test('keeps keys and parts apart, whatever their names', async () => {
      const { stores } = await workers(1);
      const [store] = stores;
      const names = ['a', 'A', 'a/b', '..', '.', 'a%2fb', 'ä', '{a}', 'a:part:b', '*', '%', 'a b', 'x'.repeat(400)];
      for (const name of names) {
        expect(await store.claim(name, 1)).toBeNull();
        await store.save(name, 1, bytesOf(name));
        for (const part of names) await store.putPart(name, part, bytesOf(`${name} and ${part}`));
      }
      for (const name of names) {
        expect(textOf((await store.claim(name, 1))!)).toBe(`1: ${name}`);
        for (const part of names) expect(await store.part(name, part)).toEqual(bytesOf(`${name} and ${part}`));
      }
      await store.keepParts('a', ['a']);
      expect(await store.part('a', 'A')).toBeNull();
      expect(await store.part('A', 'A')).not.toBeNull();
    });

    test('fences the worker of an older generation from everything that it could spoil', async () => {
      const { stores } = await workers(2);
      const [old, young] = stores;
      await old.claim('p', 4);
      await old.putPart('p', 'day', bytesOf('day'));
      await old.save('p', 4, bytesOf('of 4'));
      expect(textOf((await young.claim('p', 5))!)).toBe('4: of 4');
      await expect(old.save('p', 4, bytesOf('late'))).rejects.toThrow(Fenced);
      await expect(old.keepParts('p', [])).rejects.toThrow(Fenced);
      await expect(old.claim('p', 4)).rejects.toThrow(Fenced);
      await expect(old.claim('p', 3)).rejects.toThrow(/p.*newer generation/);
      expect(await young.part('p', 'day')).toEqual(bytesOf('day'));
      await young.save('p', 5, bytesOf('of 5'));
      await expect(old.save('p', 4, bytesOf('late'))).rejects.toThrow(Fenced);
      expect(textOf((await young.claim('p', 5))!)).toBe('5: of 5');
    });

    test('gives a generation to one worker, which may claim it again', async () => {
      const { stores } = await workers(2);
      const [one, other] = stores;
      await one.claim('p', 7);
      await one.claim('p', 7);
      await expect(other.claim('p', 7)).rejects.toThrow(Fenced);
      await expect(other.save('p', 7, bytesOf('no'))).rejects.toThrow(Fenced);
      await one.save('p', 7, bytesOf('yes'));
      expect(textOf((await one.claim('p', 7))!)).toBe('7: yes');
    });

    test('gives a key to one of many that claim it at once', async () => {
      const { stores } = await workers(6);
      const claims = await Promise.allSettled(stores.map((store) => store.claim('p', 1)));
      expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const saves = await Promise.allSettled(
        stores.map((store, number) => store.save('p', 1, bytesOf(String(number)))),
      );
      expect(saves.map(({ status }) => status)).toEqual(claims.map(({ status }) => status));
    });

    test('gives the last manifest when many were saved one after the other', async () => {
      const { place, stores } = await workers(1);
      const [store] = stores;
      await store.claim('p', 1);
      for (let number = 0; number < 50; number++) await store.save('p', 1, bytesOf(String(number)));
      const next = place.open();
      onTestFinished(() => next.close());
      expect(textOf((await next.claim('p', 2))!)).toBe('1: 49');
    });

    test('loses nothing to a worker that ended between a part and its manifest', async () => {
      const { stores } = await workers(2);
      const [crashed, next] = stores;
      await crashed.claim('p', 1);
      await crashed.putPart('p', 'monday-1', bytesOf('monday'));
      await crashed.save('p', 1, bytesOf('monday-1'));
      await crashed.putPart('p', 'tuesday-1', bytesOf('half a day'));

      expect(textOf((await next.claim('p', 2))!)).toBe('1: monday-1');
      expect(await next.part('p', 'monday-1')).toEqual(bytesOf('monday'));
      await next.keepParts('p', ['monday-1']);
      expect(await next.part('p', 'tuesday-1')).toBeNull();
      await next.putPart('p', 'tuesday-1', bytesOf('a day'));
      await next.save('p', 2, bytesOf('monday-1 tuesday-1'));
      expect(await next.part('p', 'tuesday-1')).toEqual(bytesOf('a day'));
      // The one that was taken for dead comes back to life.
      await expect(crashed.save('p', 1, bytesOf('monday-1'))).rejects.toThrow(Fenced);
    });

    test('never changes a part', async () => {
      const { stores } = await workers(2);
      const [one, other] = stores;
      await one.putPart('p', 'day', bytesOf('first'));
      await one.putPart('p', 'day', bytesOf('first'));
      await other.putPart('p', 'day', bytesOf('another'));
      expect(await one.part('p', 'day')).toEqual(bytesOf('first'));
      expect(await other.part('p', 'day')).toEqual(bytesOf('first'));
      expect(await one.part('p', 'other day')).toBeNull();
      expect(await one.part('q', 'day')).toBeNull();
    });

    test('keeps the parts that are named, and nothing of the others', async () => {
      const { place, stores } = await workers(1);
      const [store] = stores;
      await store.claim('p', 1);
      await store.claim('q', 1);
      const before = await place.list();
      for (const name of ['a', 'b', 'c']) await store.putPart('p', name, bytesOf(name));
      await store.putPart('q', 'a', bytesOf('a'));
      await store.keepParts('p', ['b', 'never there']);
      expect([await store.part('p', 'a'), await store.part('p', 'c')]).toEqual([null, null]);
      expect(await store.part('p', 'b')).toEqual(bytesOf('b'));
      expect(await store.part('q', 'a')).toEqual(bytesOf('a'));
      await store.save('p', 1, bytesOf('b'));
      await store.keepParts('p', []);
      await store.keepParts('q', []);
      const after = await place.list();
      // Nothing but the manifest of `p` came to stay.
      expect(after.filter((one) => !before.includes(one)).filter((one) => !one.includes('manifest'))).toEqual([]);
    });

    test('notices a flipped byte of the manifest, and goes on from a new one', async () => {
      const { place, stores } = await workers(2);
      const [store, next] = stores;
      await store.claim('p', 1);
      await store.save('p', 1, bytesOf('everything that is known'));
      await place.change('p', null, (stored) => flipped(stored, stored.length - 3));
      await expect(next.claim('p', 2)).rejects.toMatchObject({
        code: 'checkpoint_damaged',
        message: expect.stringMatching(/p.*damaged: its CRC-32 is wrong/),
        hint: expect.stringContaining('Delete'),
      });
      // It was claimed all the same: the worker that rebuilds its state may save it.
      await expect(store.save('p', 1, bytesOf('late'))).rejects.toThrow(Fenced);
      await next.save('p', 2, bytesOf('rebuilt'));
      expect(textOf((await next.claim('p', 2))!)).toBe('2: rebuilt');
    });

    test('notices damage of a part, and heals when it is put again', async () => {
      const { place, stores } = await workers(1);
      const [store] = stores;
      await store.putPart('p', 'day', bytesOf('rows of a day'));
      for (const change of [
        (stored: Uint8Array) => flipped(stored, 30),
        (stored: Uint8Array) => flipped(stored, 16),
        (stored: Uint8Array) => flipped(stored, 0),
        (stored: Uint8Array) => stored.slice(0, -1),
        (stored: Uint8Array) => stored.slice(0, 5),
      ]) {
        await place.change('p', 'day', change);
        await expect(store.part('p', 'day')).rejects.toMatchObject({ code: 'checkpoint_damaged' });
        await store.putPart('p', 'day', bytesOf('rows of a day'));
        expect(await store.part('p', 'day')).toEqual(bytesOf('rows of a day'));
      }
    });

    test('refuses what a newer relaywatch made, and does not write over its parts', async () => {
      const { place, stores } = await workers(2);
      const [store, next] = stores;
      await store.claim('p', 1);
      await store.putPart('p', 'day', bytesOf('day'));
      await store.save('p', 1, bytesOf('manifest'));
      for (const part of [null, 'day']) await place.change('p', part, ofNewerSchema);
      const newer = { code: 'checkpoint_newer', hint: expect.stringContaining('Upgrade this worker') };
      await expect(next.claim('p', 2)).rejects.toMatchObject(newer);
      await expect(next.part('p', 'day')).rejects.toMatchObject(newer);
      await expect(next.putPart('p', 'day', bytesOf('day'))).rejects.toMatchObject(newer);
    });

    test('holds a part of 40 MB', async () => {
      const { place, stores } = await workers(1);
      const [store] = stores;
      const large = new Uint8Array(40_000_000).map((_, index) => index * 31 + (index >> 16));
      await store.claim('p', 1);
      await store.putPart('p', 'large', large);
      await store.save('p', 1, bytesOf('large'));
      const read = await store.part('p', 'large');
      expect(Buffer.compare(read!, large)).toBe(0);
      // No expect: it would print all of it.
      await store.keepParts('p', []);
      expect(await store.part('p', 'large')).toBeNull();
      expect((await place.list()).filter((one) => one.includes('large'))).toEqual([]);
    });
  });
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text));
}

function textOf({ generation, bytes }: { generation: number; bytes: Uint8Array }): string {
  return `${generation}: ${Buffer.from(bytes)}`;
}

function flipped(stored: Uint8Array, at: number): Uint8Array {
  const changed = stored.slice();
  changed[at] ^= 0x10;
  return changed;
}

function ofNewerSchema(stored: Uint8Array): Uint8Array {
  const changed = stored.slice();
  changed[4] = CHECKPOINT_SCHEMA + 1;
  return changed;
}
