import { describe, expect, it } from 'vitest';
import { fileDriver } from '../../bench/detection/file-driver.ts';
import { judge } from '../../bench/detection/outcome.ts';
import { scanTraffic } from '../../bench/detection/record-driver.ts';
import { markdown, resultOf, verdict } from '../../bench/detection/report.ts';
import type { Trial } from '../../bench/detection/scenario.ts';
import { SCENARIOS } from '../../bench/detection/scenarios/registry.ts';
import { bootstrap, mean, median, quantile } from '../../bench/detection/statistics.ts';
import { makeTenant, START_MS } from '../../bench/detection/tenants.ts';
import { addAttack } from '../../bench/traffic/attack.ts';
import { DAY_MS, HOUR_MS } from '../../bench/traffic/message.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';

function attackedTrial(seed = 'attacked'): Trial {
  const background = makeTenant({ seed, rowsPerDay: 100, days: 12, hybrid: 'quiet' });
  const server = background.hybrid[0];
  addAttack(background, {
    kind: 'relay',
    id: 'attack',
    startMs: START_MS + 9 * DAY_MS + 14 * HOUR_MS,
    hours: 2,
    recipientsPerHour: 300,
    domains: { count: 2 },
    source: { ip: server.ip, connector: server.connector },
  });
  return { name: 'test/1', traffic: background.traffic, learningDays: 7 };
}

/** An incident document with what the judge reads. */
function incident(fields: {
  detectedMs: number;
  endMs?: number;
  family?: string;
  sources?: string[];
  escalationsMs?: number[];
}): IncidentDocument {
  const list = (keys: string[]) => keys.map((key) => ({ key, recipients: 10, share: 1 }));
  const document = {
    '@timestamp': new Date(fields.detectedMs).toISOString(),
    message: 'made up',
    event: {
      id: `rw-${fields.detectedMs}`,
      start: new Date(fields.detectedMs).toISOString(),
      end: new Date(fields.endMs ?? fields.detectedMs).toISOString(),
      severity: 73,
    },
    relaywatch: {
      incident: {
        family: fields.family ?? 'unregistered',
        type: 'relay',
        state: 'open',
        series: ['relayed'],
        detected_at: new Date(fields.detectedMs).toISOString(),
        escalations: (fields.escalationsMs ?? []).map((at) => ({
          at: new Date(at).toISOString(),
          observed: 1,
          severity: 73,
        })),
        contributors: { domains: [], sources: list(fields.sources ?? []), connectors: [], mailboxes: [], subjects: [] },
      },
    },
  };
  return document as unknown as IncidentDocument;
}

describe('the judge', () => {
  const trial = attackedTrial();
  const [attack] = trial.traffic.attacks;
  const tenthMs = attack.pairs[9].timeMs;

  it('counts attack recipients up to and including the row that told', () => {
    const { attacks, quiet } = judge(trial, [incident({ detectedMs: tenthMs, sources: [attack.source] })]);
    const upToTenth = attack.pairs.filter((pair) => pair.timeMs <= tenthMs).length;
    expect(attacks[0]).toMatchObject({ detected: true, leak: upToTenth, incidents: 1, firstContributorRight: true });
    expect(quiet.after).toEqual({});
    expect(quiet.learning).toEqual({});
  });

  it('calls an attack missed where no incident names it, or only one of another family', () => {
    expect(judge(trial, []).attacks[0]).toMatchObject({ detected: false, incidents: 0 });
    const elsewhere = judge(trial, [incident({ detectedMs: tenthMs, sources: ['203.0.113.99'] })]);
    expect(elsewhere.attacks[0].detected).toBe(false);
    const bulk = judge(trial, [incident({ detectedMs: tenthMs, family: 'bulk', sources: [attack.source] })]);
    expect(bulk.attacks[0]).toMatchObject({ detected: false, family: 'bulk' });
  });

  it('dates an attack that joined an older incident from the escalation that told of it', () => {
    const older = { detectedMs: attack.startMs - 5 * HOUR_MS, sources: ['203.0.113.99', attack.source] };
    expect(judge(trial, [incident(older)]).attacks[0].detected).toBe(false);
    const { attacks } = judge(trial, [incident({ ...older, escalationsMs: [attack.startMs - 1000, tenthMs] })]);
    expect(attacks[0].detected).toBe(true);
    expect(attacks[0].leak).toBe(attack.pairs.filter((pair) => pair.timeMs <= tenthMs).length);
    expect(attacks[0].firstContributorRight).toBe(false);
  });

  it('counts what nobody caused by the days it happened in', () => {
    const early = START_MS + 2 * DAY_MS;
    const late = START_MS + 7.5 * DAY_MS;
    const { quiet } = judge(trial, [
      incident({ detectedMs: early, family: 'bulk' }),
      incident({ detectedMs: late, endMs: late + DAY_MS }),
    ]);
    expect(quiet.learning).toEqual({ bulk: 1 });
    expect(quiet.after).toEqual({ unregistered: 1 });
    expect(quiet.daysInAlarm).toBeCloseTo(2 / 5);
    expect(quiet.months).toBeCloseTo(5 / 30);
  });
});

describe('the drivers', () => {
  it('give the same incidents from files and from records', async () => {
    const trial = attackedTrial('drivers');
    const core = (documents: IncidentDocument[]) =>
      documents.map((document) => {
        const { family, series, detected_at, observed, expected, window, score, recipients } =
          document.relaywatch.incident;
        return { family, series, detected_at, observed, expected, window, score, recipients, end: document.event.end };
      });
    const fromRecords = core(scanTraffic(trial.traffic));
    expect(fromRecords.length).toBeGreaterThan(0);
    expect(core(await fileDriver('enhanced-summary').scan(trial))).toEqual(fromRecords);
  });
});

describe('statistics', () => {
  it('take quantiles by nearest rank', () => {
    const numbers = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantile(numbers, 0.95)).toBe(95);
    expect(median([3, 1, 2])).toBe(2);
    expect(quantile([7], 0.95)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('give intervals that hold the value and narrow with the number of trials', () => {
    const interval = (size: number) =>
      bootstrap(
        Array.from({ length: size }, (_, index) => index % 10),
        mean,
      );
    const few = interval(20);
    const many = interval(2000);
    expect(few.low).toBeLessThanOrEqual(few.value);
    expect(few.high).toBeGreaterThanOrEqual(few.value);
    expect(many.high - many.low).toBeLessThan((few.high - few.low) / 4);
  });
});

describe('the scenarios', () => {
  it('have ids of their own and make the same trial from the same seed', () => {
    expect(new Set(SCENARIOS.map((scenario) => scenario.id)).size).toBe(SCENARIOS.length);
    const scenario = SCENARIOS.find((one) => one.id === 'relay-200-second-day');
    const first = scenario?.make('x', 0);
    const again = scenario?.make('x', 0);
    expect(first?.traffic.attacks).toEqual(again?.traffic.attacks);
    expect(first?.traffic.messages.length).toBe(again?.traffic.messages.length);
    expect(scenario?.make('x', 1)?.traffic.attacks[0].startMs).not.toBe(first?.traffic.attacks[0].startMs);
  });

  it('are reported with the bounds they must hold', () => {
    const scenario = SCENARIOS.find((one) => one.id === 'relay-200-one-domain');
    if (scenario === undefined) throw new Error('no such scenario');
    const trial = attackedTrial();
    const result = resultOf(scenario, [judge(trial, [])], 0, 1);
    const recall = result.metrics.find((metric) => metric.name === 'recall');
    expect(recall && verdict(recall)).toBe('fails');
    expect(markdown([result])).toContain('| recall | 0 |  | ≥ 0.98 | fails |');
    expect(markdown([resultOf(scenario, [], 2, 1)])).toContain('| trials that crashed | 2 |  | ≤ 0 | fails |');
  });
});
