import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchSpareMember } from '../../../src/runtime/service/spare-member.ts';
import { Recorder } from '../../adapters/contract/envelope-log.ts';

describe('a member of the group', () => {
  const source = { lastProgressMs: 0 };
  let signs = 0;
  let watch: ReturnType<typeof watchSpareMember>;

  beforeEach(() => {
    vi.useFakeTimers();
    signs = 0;
    watch = watchSpareMember(source, new Recorder(), () => signs++);
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
  });

  /** What is told in the next second, in which the group answers. */
  function told(): number {
    const before = signs;
    source.lastProgressMs += 300;
    vi.advanceTimersByTime(1_000);
    return signs - before;
  }

  it('without a partition lives as long as the group answers it', () => {
    expect(told()).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(signs).toBe(1);
    expect(told()).toBe(1);
    watch.stop();
    expect(told()).toBe(0);
  });

  it('with a partition has to do something', async () => {
    await watch.handler.assigned(3, 1);
    expect(told()).toBe(0);
    await watch.handler.revoked(3);
    expect(told()).toBe(1);
  });
});
