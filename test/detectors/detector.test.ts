import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { detectionSettings, tenantRecipientLimit } from '../../src/config/detection.ts';
import { detectors } from '../../src/config/registry.ts';

const folder = new URL('../../src/detectors/', import.meta.url);
const shared = ['detector.ts', 'steps.ts'];
const files = readdirSync(folder).filter((name) => !shared.includes(name));

describe('detectors', () => {
  it('are one file each, named after the series, and all are listed', () => {
    expect(files.length).toBe(9);
    const names = detectors.map((detector) => `${detector.series.replaceAll('_', '-')}.ts`);
    expect(names.map((name) => (name === 'ceiling.ts' ? 'ceilings.ts' : name)).sort()).toEqual(files.sort());
  });

  it('never import each other', () => {
    let imports = 0;
    for (const file of files) {
      for (const [, from] of readFileSync(new URL(file, folder), 'utf8').matchAll(/from '([^']+)'/g)) {
        imports++;
        expect(from, file).toMatch(/^(\.\/detector\.ts|\.\/steps\.ts|\.\.\/core\/.*)$/);
      }
    }
    expect(imports).toBeGreaterThan(14);
  });

  it.each(detectors.map((detector) => [detector.series, detector] as const))(
    '%s says what a person needs',
    (_, detector) => {
      for (const text of [detector.finds, detector.proof, ...detector.gaps, ...detector.harmless]) {
        expect(text).toMatch(/[.]$/);
        expect(text.length).toBeGreaterThan(20);
      }
      expect(detector.gaps.length).toBeGreaterThan(0);
      expect(detector.harmless.length).toBeGreaterThan(0);
      expect(detector.options.length).toBeGreaterThan(0);
      expect(detector.runbook.length).toBeGreaterThanOrEqual(4);
      expect(detector.runbook.some((step) => step.stop !== null)).toBe(true);
    },
  );
});

describe('options of a series', () => {
  it('are its numbers, each with unit, default, description and example', () => {
    const [relayed] = detectors;
    expect(relayed.options.map(({ name, default: value }) => [name, value])).toEqual([
      ['floors', '11 / 15 / 22 / 30'],
      ['zCritical', '5.5'],
      ['phi0', '3 / 1.5 / 0.8 / 0.5'],
      ['priorPerDay', '5'],
    ]);
    for (const option of detectors.flatMap((detector) => detector.options)) {
      for (const text of [option.unit, option.default, option.description, option.example]) expect(text).not.toBe('');
    }
  });
});

describe('numbers of the series', () => {
  it('are those of the specification', () => {
    const { series } = detectionSettings(null);
    expect(
      series.map((one) => [one.id, one.key, one.unit, ...one.phi0, one.priorPerDay, ...one.floors, one.zCritical]),
    ).toEqual([
      ['relayed:new', 'tenant', 'weight', 8, 4, 2, 1.2, 1, 8, 11, 16, 22, 5],
      ['relayed', 'tenant', 'weight', 3, 1.5, 0.8, 0.5, 5, 11, 15, 22, 30, 5.5],
      ['unregistered_source', 'source', 'weight', 8, 4, 2, 1.2, 1, 15, 20, 25, 30, 6],
      ['unregistered_domain', 'domain', 'weight', 8, 4, 2, 1.2, 1, 15, 20, 25, 30, 6],
      ['unregistered_recipients:new', 'tenant', 'pairs', 12, 5, 2, 1.2, 1, 100, 150, 250, 400, 6],
      ['unregistered_recipients', 'tenant', 'pairs', 12, 5, 2, 1.2, 15, 100, 150, 250, 400, 6],
      ['mailbox:strangers', 'mailbox', 'weight', 12, 5, 2, 1.2, 1, 25, 30, 50, 75, 6],
      ['mailbox', 'mailbox', 'weight', 12, 5, 2, 1.2, 5, 50, 60, 100, 150, 6],
      ['mailbox_recipients', 'mailbox', 'pairs', 12, 5, 2, 1.2, 8, 150, 250, 400, 500, 6],
      ['tenant_external:strangers', 'tenant', 'weight', 3, 1.5, 0.8, 0.5, 10, 60, 90, 150, 240, 6],
      ['tenant_external', 'tenant', 'weight', 0.6, 0.35, 0.25, 0.2, 100, 100, 200, 300, 500, 6],
    ]);
    expect(series.filter((one) => one.testedFromDay > 0).map((one) => [one.id, one.testedFromDay])).toEqual([
      ['relayed:new', 7],
      ['unregistered_recipients:new', 7],
      ['mailbox:strangers', 21],
      ['tenant_external:strangers', 21],
      ['tenant_external', 4],
    ]);
    // In the first week, in which nothing can be new, a little less is enough.
    const young = series.filter((one) => one.testedFromDay < 7 && one.youngZCritical !== one.zCritical);
    expect(young.map((one) => [one.id, one.youngZCritical])).toEqual([['relayed', 5.3]]);
    expect(series.filter((one) => one.ramp !== null).map((one) => [one.id, one.ramp])).toEqual([
      ['relayed:new', { threshold: 16, floor: 10 }],
      ['relayed', { threshold: 20, floor: 30 }],
    ]);
    expect(series.filter((one) => one.recordFloor).map((one) => one.id)).toEqual([
      'unregistered_source',
      'unregistered_domain',
      'mailbox:strangers',
      'mailbox',
      'mailbox_recipients',
    ]);
  });

  it('know the limit of a tenant only where the licences are known', () => {
    expect(detectionSettings(null).ceilings.limits.map((limit) => limit.scope)).toEqual(['mailbox', 'onmicrosoft']);
    expect(detectionSettings(100).ceilings.limits.map((limit) => [limit.scope, limit.budget])).toEqual([
      ['tenant', 22_059],
      ['mailbox', 10_000],
      ['onmicrosoft', 100],
    ]);
  });

  it.each([
    [1, 10_000],
    [2, 10_312],
    [10, 12_006],
    [25, 14_259],
    [100, 22_059],
    [1_000, 72_446],
    [10_000, 324_979],
    [100_000, 1_590_639],
  ])('give %d licences the published limit of %d', (licenses, limit) => {
    expect(tenantRecipientLimit(licenses)).toBe(limit);
  });
});
