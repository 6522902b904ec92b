/** Calls of a partition: one at a time, none of a former owner, none while the gate is closed. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Gate, Lane } from '../../../src/adapters/kafka/lane.ts';
import { Arena, Recorder } from '../contract/envelope-log.ts';

function setUp() {
  const arena = new Arena();
  const recorder = new Recorder(arena);
  const failures: unknown[] = [];
  const gate = new Gate();
  const hooks = { now: () => 0, failed: (error: unknown) => failures.push(error), done: () => {} };
  return { arena, recorder, failures, gate, lane: new Lane(3, recorder, gate, hooks) };
}

const names = (recorder: Recorder) => recorder.calls.map(({ call }) => call);

describe('a lane', () => {
  test('lets calls wait for each other', async () => {
    const { arena, recorder, lane } = setUp();
    recorder.during = () => sleep(5);
    const { owned } = await lane.take(1);
    void lane.gap(owned, 1, 2);
    void lane.idle(owned);
    lane.release();
    const taken = lane.take(2);
    expect(lane.isBusy).toBe(true);
    await taken;
    expect(names(recorder)).toEqual(['assigned', 'revoked', 'assigned']);
    expect(arena.overlaps).toEqual([]);
    expect(lane.isBusy).toBe(false);
  });

  test('forgets what was not begun when it is released, and revokes only what was assigned', async () => {
    const { recorder, lane, gate } = setUp();
    gate.close();
    void lane.take(1);
    lane.release();
    gate.open();
    await lane.quiet;
    expect(names(recorder)).toEqual([]);
  });

  test('does nothing while the gate is closed, which waits for calls under way', async () => {
    const { recorder, lane, gate } = setUp();
    let finish = (): void => {};
    const { owned } = await lane.take(1);
    const busy = new Promise<void>((resolve) => {
      finish = resolve;
    });
    recorder.during = () => busy;
    void lane.idle(owned);
    await sleep(1);
    gate.close();
    expect(await gate.quiet(5)).toBe(false);
    void lane.gap(owned, 1, 2);
    finish();
    expect(await gate.quiet(1_000)).toBe(true);
    await sleep(5);
    expect(names(recorder)).toEqual(['assigned', 'idle']);
    gate.open();
    await lane.quiet;
    expect(names(recorder)).toEqual(['assigned', 'idle', 'gap']);
  });

  test('ends with the first failure', async () => {
    const { recorder, failures, lane } = setUp();
    const { owned } = await lane.take(1);
    const failure = new Error('full');
    recorder.during = ({ call }) => (call === 'idle' ? Promise.reject(failure) : undefined);
    void lane.idle(owned);
    await lane.gap(owned, 1, 2);
    lane.release();
    await lane.quiet;
    expect(failures).toEqual([failure]);
    expect(names(recorder)).toEqual(['assigned', 'idle', 'revoked']);
  });
});
