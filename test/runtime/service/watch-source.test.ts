import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchSource } from '../../../src/runtime/service/watch-source.ts';
import { Recorder } from '../../adapters/contract/envelope-log.ts';

describe('a member of the group', () => {
  const source = { lastProgressMs: 0 };
  const inner = new Recorder();
  let signs = 0;
  let states: boolean[] = [];
  let watch: ReturnType<typeof watchSource>;

  beforeEach(() => {
    vi.useFakeTimers();
    signs = 0;
    states = [];
    const onReady = (isReady: boolean) => states.push(isReady);
    watch = watchSource(source, inner, { onFree: () => signs++, onReady });
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
  });

  /** What is told in so many seconds. */
  function told(seconds: number): number {
    const before = signs;
    vi.advanceTimersByTime(seconds * 1_000);
    return signs - before;
  }

  it('lives while no call is under way in it, whatever the log does', async () => {
    expect(told(600)).toBe(600);
    const ended = Promise.withResolvers<number>();
    const entries = vi.spyOn(inner, 'entries').mockReturnValue(ended.promise);
    const call = watch.handler.entries(3, 1, [], 0);
    expect(told(600)).toBe(0);
    ended.resolve(7);
    expect(await call).toBe(7);
    entries.mockRestore();
    expect(told(1)).toBe(1);
    watch.stop();
    expect(told(1)).toBe(0);
  });

  it('is ready from the first sign of life on, until there is none for 20 seconds', () => {
    told(19);
    expect(states).toEqual([]);
    told(60);
    expect(states).toEqual([false]);
    source.lastProgressMs++;
    told(20);
    expect(states).toEqual([false, true]);
    told(1);
    expect(states).toEqual([false, true, false]);
    source.lastProgressMs++;
    told(1);
    expect(states).toEqual([false, true, false, true]);
  });
});
