/** Ours and the detectors of others on the same rows: false alarms of quiet tenants, recall and leak of attacks. */

import { DAY_MS, HOUR_MS } from '../traffic/message.ts';
import { type Alarm, alarmTimes, BASELINES, mergedAlarms } from './baselines.ts';
import { elastAlertMatches, type RuleMatches } from './elastalert/rules.ts';
import type { Evaluation } from './evaluation.ts';
import type { QuietOutcome } from './scenario.ts';
import { mean, median, quantile } from './statistics.ts';
import { type Stream, UNREGISTERED } from './stream.ts';
import { number } from './tables.ts';

const AFTERMATH_MS = DAY_MS;
const MONTH_MS = 30 * DAY_MS;

/** What one detector made of the attacks of a scenario on a background. */
export interface ComparedScenario {
  scenario: string;
  background: string;
  attacks: number;
  recall: number;
  leakMedian: number;
  leakP95: number;
  /** Of those found. */
  delayHours: number;
  /** Share of attacks at whose start it was in alarm anyway: it says nothing about them. */
  alreadyInAlarm: number;
}

export interface Compared {
  detector: string;
  title: string;
  parameter: number;
  /** False alarms a tenant-month after learning, by background. */
  falseAlarms: { background: string; unregistered: number; mailboxes: number }[];
  scenarios: ComparedScenario[];
}

interface AttackVerdict {
  detected: boolean;
  leak: number;
  delayMs: number;
  already: boolean;
}

function verdictOf(stream: Stream, alarms: readonly Alarm[]): AttackVerdict {
  const attack = stream.attack as NonNullable<Stream['attack']>;
  const already = alarms.some((alarm) => alarm.startMs < attack.startMs && alarm.endMs > attack.startMs - DAY_MS);
  const told = alarms.find((alarm) => alarm.startMs >= attack.startMs && alarm.startMs <= attack.endMs + AFTERMATH_MS);
  if (told === undefined) return { detected: false, leak: attack.times.length, delayMs: Number.NaN, already };
  const leak = attack.times.filter((time) => time <= told.startMs).length;
  return { detected: true, leak, delayMs: told.startMs - attack.startMs, already };
}

function scenariosOf(
  streams: readonly Stream[],
  verdictOfStream: (stream: Stream) => AttackVerdict,
): ComparedScenario[] {
  const groups = new Map<string, { stream: Stream; verdict: AttackVerdict }[]>();
  for (const stream of streams) {
    if (stream.attack === null) continue;
    const name = `${stream.scenario} ${stream.background}`;
    const one = { stream, verdict: verdictOfStream(stream) };
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  return [...groups.values()].map((group) => {
    const verdicts = group.map(({ verdict }) => verdict);
    const leaks = group.map(({ verdict }) => verdict.leak);
    return {
      scenario: group[0].stream.scenario,
      background: group[0].stream.background,
      attacks: group.length,
      recall: mean(verdicts.map((verdict) => (verdict.detected ? 1 : 0))),
      leakMedian: median(leaks),
      leakP95: quantile(leaks, 0.95),
      delayHours: median(verdicts.filter((verdict) => verdict.detected).map((verdict) => verdict.delayMs / HOUR_MS)),
      alreadyInAlarm: mean(verdicts.map((verdict) => (verdict.already ? 1 : 0))),
    };
  });
}

/** False alarms a tenant-month on quiet streams, by background and what they are about. */
function falseAlarmsOf(
  quiet: readonly Stream[],
  alarmsOf: (stream: Stream) => Map<string, Alarm[]>,
): Compared['falseAlarms'] {
  const sums = new Map<string, { unregistered: number; mailboxes: number; months: number }>();
  for (const stream of quiet) {
    const sum = sums.get(stream.background) ?? { unregistered: 0, mailboxes: 0, months: 0 };
    sum.months += (stream.toMs - stream.fromMs) / MONTH_MS;
    for (const [key, alarms] of alarmsOf(stream)) {
      const after = alarms.filter((alarm) => alarm.startMs >= stream.fromMs).length;
      if (key === UNREGISTERED) sum.unregistered += after;
      else sum.mailboxes += after;
    }
    sums.set(stream.background, sum);
  }
  return [...sums].map(([background, { unregistered, mailboxes, months }]) => ({
    background,
    unregistered: unregistered / months,
    mailboxes: mailboxes / months,
  }));
}

function timesByKey(stream: Stream): Map<string, number[]> {
  const byKey = new Map<string, number[]>();
  for (const { key, timeMs } of stream.rows) {
    const times = byKey.get(key);
    if (times === undefined) byKey.set(key, [timeMs]);
    else times.push(timeMs);
  }
  return byKey;
}

function earliest(alarms: Iterable<Alarm[]>): Alarm[] {
  return [...alarms].flat().sort((a, b) => a.startMs - b.startMs);
}

export function compareBaselines(streams: readonly Stream[]): Compared[] {
  const keyed = new Map(streams.map((stream) => [stream, timesByKey(stream)]));
  return BASELINES.flatMap((baseline) =>
    baseline.parameters.map((parameter): Compared => {
      const alarmsOf = (stream: Stream): Map<string, Alarm[]> => {
        const alarms = new Map<string, Alarm[]>();
        for (const [key, times] of keyed.get(stream) as Map<string, number[]>) {
          alarms.set(key, mergedAlarms(alarmTimes(baseline, parameter, times, stream.firstMs, stream.fromMs)));
        }
        return alarms;
      };
      return {
        detector: baseline.id,
        title: baseline.title,
        parameter,
        falseAlarms: falseAlarmsOf(
          streams.filter((stream) => stream.attack === null),
          alarmsOf,
        ),
        scenarios: scenariosOf(streams, (stream) => verdictOf(stream, earliest(alarmsOf(stream).values()))),
      };
    }),
  );
}

/** Matches less than a day apart are one alarm, as for everybody else. */
export function compareElastAlert(streams: readonly Stream[], matches: readonly RuleMatches[]): Compared[] {
  const rules = new Map<string, Map<number, RuleMatches>>();
  for (const one of matches) {
    const name = `${one.rule}\n${one.parameter}`;
    rules.set(name, (rules.get(name) ?? new Map()).set(one.stream, one));
  }
  return [...rules].map(([name, byStream]): Compared => {
    const [rule, parameter] = name.split('\n');
    const alarmsOf = (stream: Stream): Map<string, Alarm[]> => {
      const times = new Map<string, number[]>();
      for (const [timeMs, key] of byStream.get(streams.indexOf(stream))?.matches ?? []) {
        times.set(key, [...(times.get(key) ?? []), timeMs]);
      }
      return new Map([...times].map(([key, all]) => [key, mergedAlarms(all)]));
    };
    return {
      detector: `elastalert2: ${rule}`,
      title: `ElastAlert2 ${rule}`,
      parameter: Number(parameter),
      falseAlarms: falseAlarmsOf(
        streams.filter((stream) => stream.attack === null),
        alarmsOf,
      ),
      scenarios: scenariosOf(streams, (stream) => verdictOf(stream, earliest(alarmsOf(stream).values()))),
    };
  });
}

/** Our own figures in the same shape; `parameter` is what was added to the critical z. */
export function compareOurs(streams: readonly Stream[], quiet: readonly QuietOutcome[], parameter: number): Compared {
  const sums = new Map<string, { unregistered: number; mailboxes: number; months: number }>();
  for (const { trial, months, after } of quiet) {
    const background = trial.slice(0, trial.indexOf('/'));
    const sum = sums.get(background) ?? { unregistered: 0, mailboxes: 0, months: 0 };
    sum.months += months;
    sum.unregistered += after.unregistered ?? 0;
    sum.mailboxes += after.bulk ?? 0;
    sums.set(background, sum);
  }
  return {
    detector: 'relaywatch',
    title: 'relaywatch',
    parameter,
    falseAlarms: [...sums].map(([background, { unregistered, mailboxes, months }]) => ({
      background,
      unregistered: unregistered / months,
      mailboxes: mailboxes / months,
    })),
    scenarios: scenariosOf(streams, ({ ours, attack }) => ({
      detected: ours?.detected ?? false,
      leak: ours?.detected ? ours.leak : (attack?.times.length ?? 0),
      delayMs: ours?.delayMs ?? Number.NaN,
      already: false,
    })),
  };
}

/** False alarms of all backgrounds together, a tenant-month. */
export function meanFalseAlarms({ falseAlarms }: Compared): number {
  return mean(falseAlarms.map(({ unregistered, mailboxes }) => unregistered + mailboxes));
}

/** Of each detector the parameter with the most recall among those with at most so many false alarms, else the quietest. */
export function atFalseRate(compared: readonly Compared[], most: number): Compared[] {
  const byDetector = new Map<string, Compared[]>();
  for (const one of compared) byDetector.set(one.detector, [...(byDetector.get(one.detector) ?? []), one]);
  const recall = ({ scenarios }: Compared): number => mean(scenarios.map((scenario) => scenario.recall));
  return [...byDetector.values()].map((all) => {
    const quietEnough = all.filter((one) => meanFalseAlarms(one) <= most);
    if (quietEnough.length > 0) return quietEnough.sort((a, b) => recall(b) - recall(a))[0];
    return [...all].sort((a, b) => meanFalseAlarms(a) - meanFalseAlarms(b))[0];
  });
}

/** Ours and all others on what an evaluation has walked; it has to have been made with streams. */
export async function compared(
  { streams, quiet }: Pick<Evaluation, 'streams' | 'quiet'>,
  withElastAlert: boolean,
): Promise<{ ours: Compared; others: Compared[] }> {
  const others = compareBaselines(streams);
  const matches = withElastAlert ? await elastAlertMatches(streams) : null;
  if (matches !== null) others.push(...compareElastAlert(streams, matches));
  return { ours: compareOurs(streams, quiet, 0), others };
}

/** False alarms allowed to others where ours are fewer: a month in which nobody is bothered cannot be asked of all. */
const LEAST_FALSE_ALARMS = 0.25;

/** Each detector with the parameter that finds most at about our false alarms, in Markdown. */
export function comparisonTables(ours: Compared, others: readonly Compared[]): string {
  const limit = Math.max(meanFalseAlarms(ours), LEAST_FALSE_ALARMS);
  const chosen: Compared[] = [ours, ...atFalseRate(others, limit)];
  const lines = [
    `Parameters: the most recall at up to ${number(limit)} false alarms a tenant-month, else the quietest.`,
    '',
    '| detector | parameter | false alarms a month: unregistered, mailboxes |',
    '|---|---|---|',
  ];
  for (const { title, parameter, falseAlarms } of chosen) {
    const cells = falseAlarms.map((one) => `${one.background}: ${number(one.unregistered)}, ${number(one.mailboxes)}`);
    lines.push(`| ${title} | ${parameter} | ${cells.join('; ')} |`);
  }
  lines.push(
    '',
    `| | on | attacks | ${chosen.map((one) => one.detector).join(' | ')} |`,
    `|${'---|'.repeat(chosen.length + 3)}`,
  );
  for (const { scenario, background, attacks } of ours.scenarios) {
    const cells = chosen.map(({ scenarios }) => {
      const one = scenarios.find((other) => other.scenario === scenario && other.background === background);
      if (one === undefined) return '';
      const already = one.alreadyInAlarm > 0.05 ? ` (in alarm before: ${number(one.alreadyInAlarm)})` : '';
      return `${number(one.recall)}, ${number(one.leakMedian)}/${number(one.leakP95)}${already}`;
    });
    lines.push(`| ${[scenario, background, attacks, ...cells].join(' | ')} |`);
  }
  lines.push('', 'Cells: recall, leak median/95th; an attack that was missed leaks all it sent.');
  return lines.join('\n');
}
