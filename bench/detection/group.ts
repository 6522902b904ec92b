/**
 * One background and all that branches off from it. The background is walked once, day by day; where a
 * trial begins, the walk's state is saved, the trial's days are walked with what is different in them, and
 * the walk goes back. Incidents are those of a walk over the whole changed tenant (a test compares).
 */

import type { IncidentDocument } from '../../src/core/incident-document.ts';
import type { DetectionSettings } from '../../src/core/series-settings.ts';
import { type AttackTruth, DAY_MS, sortByTime, type Traffic, type TrafficMessage } from '../traffic/message.ts';
import { Random } from '../traffic/random.ts';
import { LEARNING_DAYS, type OpenBackground } from './backgrounds.ts';
import { BackgroundFacts } from './facts.ts';
import { judgeAttack, judgeLookAlike, judgeQuiet, lineOf, markOf } from './outcome.ts';
import { RecordWalk } from './record-walk.ts';
import type { EncodedRows } from './row-encoder.ts';
import type { Happening, Plan, QuietOutcome, Scenario, Trial, TrialOutcome } from './scenario.ts';
import { HISTORY_MS, type Stream, type StreamRow, streamRows, UNREGISTERED } from './stream.ts';

/** How much of a quiet tenant the detectors of others are given, after the learning days. */
const QUIET_MS = 60 * DAY_MS;

/** A trial of a group: which scenario, and which of its trials on this background. */
export interface PlannedTrial {
  name: string;
  scenario: Scenario;
  plan: Plan;
}

export interface GroupResult {
  outcomes: { scenario: string; outcome: TrialOutcome }[];
  quiet: QuietOutcome;
  /** Where they are asked for: the rows of each attack and of the background, for the detectors of others. */
  streams: Stream[];
}

/** The same seed, background, group and scenario give the same trials, whatever else is evaluated. */
export function planTrials(
  scenarios: readonly Scenario[],
  background: OpenBackground,
  seed: string,
  group: number,
): PlannedTrial[] {
  const trials: PlannedTrial[] = [];
  for (const scenario of scenarios) {
    if (!scenario.runsOn(background.kind)) continue;
    for (let index = 0; index < background.kind.trialsEach; index++) {
      const name = `${scenario.id}@${background.kind.id}/${group}.${index}`;
      const plan = scenario.plan(new Random(`${seed}/${name}`), background);
      if (plan !== null && plan.toDay <= background.days) trials.push({ name, scenario, plan });
    }
  }
  return trials.sort((a, b) => a.plan.fromDay - b.plan.fromDay);
}

/** Days of the background, read as far as they are needed and kept as long. */
class DayWindow {
  readonly #background: OpenBackground;
  readonly #days = new Map<number, readonly TrafficMessage[]>();
  #read = 0;

  constructor(background: OpenBackground) {
    this.#background = background;
  }

  get(day: number): readonly TrafficMessage[] {
    while (this.#read <= day && this.#read < this.#background.days) {
      const next = this.#background.stream.next();
      this.#days.set(this.#read++, next.done ? [] : next.value);
    }
    return this.#days.get(day) ?? [];
  }

  forgetBefore(day: number): void {
    for (const kept of this.#days.keys()) if (kept < day) this.#days.delete(kept);
  }
}

function dayNumber(background: OpenBackground, timeMs: number): number {
  return Math.floor((timeMs - background.startMs) / DAY_MS);
}

function extraByDay(background: OpenBackground, happening: Happening): Map<number, TrafficMessage[]> {
  const byDay = new Map<number, TrafficMessage[]>();
  for (const message of happening.variation.extra) {
    const day = dayNumber(background, message.timeMs);
    const messages = byDay.get(day);
    if (messages === undefined) byDay.set(day, [message]);
    else messages.push(message);
  }
  return byDay;
}

/** Incidents that were raised, or told of again, from a time on. */
function since(documents: readonly IncidentDocument[], fromMs: number): IncidentDocument[] {
  return documents.filter((incident) => {
    const details = incident.relaywatch.incident;
    const times = [details.detected_at, ...details.escalations.map((escalation) => escalation.at)];
    return times.some((at) => Date.parse(at) >= fromMs);
  });
}

export function runGroup(
  background: OpenBackground,
  trials: readonly PlannedTrial[],
  settings: DetectionSettings,
  withStreams = false,
): GroupResult {
  const walk = new RecordWalk(background, settings);
  const window = new DayWindow(background);
  const facts = new BackgroundFacts(background);
  const encoded = new Map<number, EncodedRows>();
  const positions: number[] = [];
  const rowsOf = (day: number): EncodedRows => {
    let rows = encoded.get(day);
    if (rows === undefined) {
      rows = walk.encode(window.get(day));
      encoded.set(day, rows);
    }
    return rows;
  };
  const happened: { trial: PlannedTrial; happening: Happening; documents: IncidentDocument[]; rows: StreamRow[] }[] =
    [];
  const accepted = new Set(background.acceptedDomains);
  const history: StreamRow[] = [];
  let next = 0;
  for (let day = 0; day < background.days; day++) {
    positions.push(walk.position);
    window.forgetBefore(day - 1);
    if (next < trials.length && trials[next].plan.fromDay === day) {
      let last = next;
      while (last < trials.length && trials[last].plan.fromDay === day) last++;
      const longest = Math.max(...trials.slice(next, last).map((trial) => trial.plan.toDay));
      // Encoded before the state is saved, so that going back keeps them.
      for (let later = day; later < longest; later++) rowsOf(later);
      const state = walk.save();
      for (; next < last; next++) {
        const trial = trials[next];
        const happening = trial.plan.build(facts);
        const documents = runTrial(background, walk, trial, happening, rowsOf, window);
        const rows = withStreams ? trialRows(background, trial, happening, history, window, accepted) : [];
        happened.push({ trial, happening, documents, rows });
        walk.load(state);
      }
    }
    walk.walk(rowsOf(day));
    facts.addDay(window.get(day));
    if (withStreams) for (const row of streamRows(window.get(day), accepted)) history.push(row);
    encoded.delete(day);
    // Only the largest tenants need the memory: texts of old rows show in nothing but evidence.
    if (background.kind.pool === '100k' && day >= 12) walk.forgetBefore(positions[day - 12]);
  }
  const documents = walk.documents();
  const known = new Set(documents.map(markOf));
  const outcomes = happened.map(({ trial, happening, documents: raised }) => ({
    scenario: trial.scenario.id,
    outcome: {
      trial: trial.name,
      background: background.kind.id,
      attacks: happening.attacks.map((attack) => judgeAttack(trial.name, attack, raised, known)),
      lookAlike:
        happening.lookAlike === undefined ? null : judgeLookAlike(trial.name, happening.lookAlike, raised, documents),
      incidents: raised.filter((incident) => !known.has(markOf(incident))).map(lineOf),
    },
  }));
  const streams: Stream[] = [];
  if (withStreams) {
    const { firstMs, startMs, days, kind, seed } = background;
    const learnedMs = startMs + LEARNING_DAYS * DAY_MS;
    const common = { background: kind.id, firstMs };
    streams.push({
      ...common,
      trial: seed,
      scenario: '',
      fromMs: learnedMs,
      toMs: Math.min(startMs + days * DAY_MS, learnedMs + QUIET_MS),
      attack: null,
      ours: null,
      rows: history.filter((row) => row.timeMs < learnedMs + QUIET_MS),
    });
    happened.forEach(({ trial, happening, rows }, index) => {
      happening.attacks.forEach(({ truth }, number) => {
        const outcome = outcomes[index].outcome.attacks[number];
        streams.push({
          ...common,
          trial: trial.name,
          scenario: trial.scenario.id,
          fromMs: startMs + trial.plan.fromDay * DAY_MS,
          toMs: startMs + trial.plan.toDay * DAY_MS,
          attack: { startMs: truth.startMs, endMs: truth.endMs, times: truth.pairs.map((pair) => pair.timeMs) },
          ours: { detected: outcome.detected, leak: outcome.leak, delayMs: outcome.delayMs },
          rows,
        });
      });
    });
  }
  return {
    outcomes,
    quiet: judgeQuiet(
      {
        trial: background.seed,
        startMs: background.startMs,
        days: background.days,
        rowsPerDay: facts.rows / background.days,
        unregisteredPerDay: facts.meanUnregistered,
      },
      documents,
    ),
    streams,
  };
}

/** Rows of the keys that the attacks of a trial use, with their history. */
function trialRows(
  background: OpenBackground,
  { plan }: PlannedTrial,
  happening: Happening,
  history: readonly StreamRow[],
  window: DayWindow,
  accepted: ReadonlySet<string>,
): StreamRow[] {
  const keys = new Set(
    happening.attacks.flatMap(({ truth }) => (truth.kind === 'relay' ? [UNREGISTERED] : truth.mailboxes)),
  );
  const startMs = background.startMs + plan.fromDay * DAY_MS;
  const rows = history.filter((row) => row.timeMs >= startMs - HISTORY_MS && keys.has(row.key));
  const extra = extraByDay(background, happening);
  for (let day = plan.fromDay; day < plan.toDay; day++) {
    const replaced = happening.variation.replace?.(day, (one) => window.get(one)) ?? window.get(day);
    for (const row of streamRows([...replaced, ...(extra.get(day) ?? [])], accepted)) {
      if (keys.has(row.key)) rows.push(row);
    }
  }
  return rows.sort((a, b) => a.timeMs - b.timeMs);
}

function runTrial(
  background: OpenBackground,
  walk: RecordWalk,
  { plan }: PlannedTrial,
  happening: Happening,
  rowsOf: (day: number) => EncodedRows,
  window: DayWindow,
): IncidentDocument[] {
  const extra = extraByDay(background, happening);
  for (let day = plan.fromDay; day < plan.toDay; day++) {
    const replaced = happening.variation.replace?.(day, (one) => window.get(one));
    const more = extra.get(day);
    const rows = replaced === undefined ? rowsOf(day) : walk.encode(replaced);
    walk.walk(rows, more === undefined ? null : walk.encode(more));
  }
  return since(walk.documents(), background.startMs + plan.fromDay * DAY_MS);
}

/** The whole tenant of a trial, from its first day to the trial's last: what export files are written from. */
export function wholeTrial(background: OpenBackground, { name, plan }: PlannedTrial): Trial & { happening: Happening } {
  const window = new DayWindow(background);
  const facts = new BackgroundFacts(background);
  const messages: TrafficMessage[] = [];
  for (let day = 0; day < plan.fromDay; day++) {
    facts.addDay(window.get(day));
    for (const message of window.get(day)) messages.push(message);
  }
  const happening = plan.build(facts);
  const extra = extraByDay(background, happening);
  for (let day = plan.fromDay; day < plan.toDay; day++) {
    const replaced = happening.variation.replace?.(day, (one) => window.get(one));
    for (const message of replaced ?? window.get(day)) messages.push(message);
    for (const message of extra.get(day) ?? []) messages.push(message);
  }
  sortByTime(messages);
  const attacks: AttackTruth[] = happening.attacks.map(({ truth }) => truth);
  const { seed, tenant, acceptedDomains, startMs } = background;
  return {
    name,
    traffic: { seed, tenant, acceptedDomains, startMs, days: plan.toDay, messages, attacks },
    happening,
  };
}

/** The incidents of a whole tenant, from its messages. */
export function scanTraffic(traffic: Traffic, settings: DetectionSettings): IncidentDocument[] {
  const walk = new RecordWalk(traffic, settings);
  walk.walk(walk.encode(traffic.messages));
  return walk.documents();
}
