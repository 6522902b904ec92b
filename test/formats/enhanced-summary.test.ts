import { describe, expect, it } from 'vitest';
import { expectGolden, fixturesIn } from './golden.ts';

const fixtures = fixturesIn('enhanced-summary');

describe('Enhanced summary', () => {
  it.each(fixtures)('%s', async (fixture) => {
    await expectGolden(fixture);
  });

  it('has fixtures', () => {
    expect(fixtures.length).toBeGreaterThan(3);
  });
});
