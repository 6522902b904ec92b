import { describe, expect, it } from 'vitest';
import { detectors } from '../../src/config/registry.ts';
import { PLACEHOLDERS } from '../../src/core/runbook.ts';
import * as steps from '../../src/detectors/steps.ts';

describe('steps of runbooks', () => {
  it('name a question, a field, a time range and commands that can be filled', () => {
    const known = new Set<string>(PLACEHOLDERS);
    for (const step of Object.values(steps)) {
      expect(step.question).toMatch(/[?]$/);
      expect(step.field).not.toBe('');
      expect(step.timeRange).not.toBe('');
      expect(step.meaning).toMatch(/[.]$/);
      for (const command of [step.show, step.stop]) {
        if (command === null) continue;
        expect(command.text).not.toContain('\n');
        // The report puts the quotes around the values.
        expect(command.text).not.toMatch(/['"]\{\{|\}\}['"]/);
        for (const [, name] of command.text.matchAll(/\{\{(\w+)\}\}/g)) expect(known.has(name)).toBe(true);
      }
    }
  });

  it('are each part of a runbook', () => {
    const used = new Set(detectors.flatMap((detector) => detector.runbook));
    expect(
      Object.entries(steps)
        .filter(([, step]) => !used.has(step))
        .map(([name]) => name),
    ).toEqual([]);
  });

  it('only change something with what stops the abuse', () => {
    for (const step of Object.values(steps)) expect(step.show.text).toMatch(/^(Get|Search)-[A-Z]\w+/);
  });
});
