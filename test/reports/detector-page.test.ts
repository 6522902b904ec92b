import { describe, expect, it } from 'vitest';
import { detectors } from '../../src/config/registry.ts';
import { detectorList, detectorPage } from '../../src/reports/detector-page.ts';

describe('the list of detectors', () => {
  it('has a line for each, with its title', () => {
    const lines = detectorList(detectors).trimEnd().split('\n');
    expect(lines).toHaveLength(detectors.length);
    for (const [index, { series, title }] of detectors.entries()) {
      expect(lines[index]).toMatch(new RegExp(`^${series} +${title}$`));
    }
  });
});

describe.each(detectors.map((detector) => [detector.series, detector] as const))('the page of %s', (_, detector) => {
  const page = detectorPage(detector);
  const text = page.replace(/\s+/g, ' ');

  it('says what it finds, what proves it, what it cannot see, its numbers and what to do', () => {
    const { series, title, finds, proof, gaps, harmless, options, runbook } = detector;
    for (const part of [`${series}: ${title}`, finds, proof, ...gaps, ...harmless]) expect(text).toContain(part);
    for (const option of options) {
      for (const part of [option.name, option.unit, option.default, option.description, option.example]) {
        expect(text).toContain(part);
      }
    }
    for (const { question, field, timeRange, show, stop, meaning } of runbook) {
      for (const part of [question, `${field} (${timeRange})`, meaning]) expect(text).toContain(part);
      // Commands stand in one line, to be copied.
      expect(page).toContain(`     ${show.text}\n`);
      if (stop !== null) expect(page).toContain(`: ${stop.text}\n`);
    }
  });

  it('fits 80 columns but for commands', () => {
    const commands = detector.runbook.flatMap(({ show, stop }) => [show.text, stop?.text ?? show.text]);
    for (const line of page.split('\n')) {
      if (commands.some((command) => line.includes(command))) continue;
      expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });
});
