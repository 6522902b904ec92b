/** What happens in a schedule of faults: drawn from its seed alone. */

import { Random } from '../../bench/traffic/random.ts';

/** Faults of workers and engines. Times to wait and places are drawn too. */
export const FAULTS = [
  'kill-detector',
  'kill-jobs-worker',
  'freeze-detector',
  'freeze-jobs-worker',
  'freeze-kafka',
  'freeze-elasticsearch',
  'freeze-redis',
  'restart-kafka',
  'restart-elasticsearch',
  'restart-redis',
  'kill-redis',
  'busy-elasticsearch',
  'read-only-elasticsearch',
  'envelopes-again',
  'newer-checkpoint',
] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface Fault {
  kind: FaultKind;
  /** Milliseconds after the start. */
  atMs: number;
  /** How long it lasts, or how long what was killed stays away. */
  forMs: number;
  /** Which of several, from 0 to 1. */
  which: number;
}

export interface TenantPlan {
  key: string;
  /** Stretches of its rows in order of time, one file each; they may overlap. */
  stretches: [from: number, to: number][];
}

export interface Submission {
  atMs: number;
  tenant: string;
  /** Number of the file. */
  part: number;
}

export interface Plan {
  seed: number;
  tenants: TenantPlan[];
  detectors: number;
  submissions: Submission[];
  faults: Fault[];
}

/** Three of the four partitions, by the hash that Kafka's clients share. */
const KEYS = ['litware', 'contoso', 'northwind'];
/** Files are handed over in this time, and faults begin in it. */
const ACTIVE_MS = 8_000;
/** Some files come when nothing has come for so long that the days before are sealed: after a minute of quiet. */
const STRAGGLERS = 0.1;
const STRAGGLER_MS = 80_000;
/** Longer than the session timeout, so that others take over what the frozen one had. */
const FREEZE_MS = [6_500, 8_500] as const;

export function planOf(seed: number): Plan {
  const random = new Random(`chaos/${seed}`);
  const tenants = random.sample(KEYS, random.integer(2, 3)).map((key) => ({ key, stretches: stretchesOf(random) }));
  const submissions = tenants.flatMap(({ key, stretches }) => submissionsOf(key, stretches.length, random));
  const faults = random.sample(FAULTS, random.integer(2, 5)).map((kind): Fault => {
    const [least, most] = kind.startsWith('freeze') ? FREEZE_MS : [200, 3_000];
    return {
      kind,
      atMs: random.integer(500, ACTIVE_MS),
      forMs: random.integer(least, most),
      which: random.uniform(),
    };
  });
  const late = random.fork('late');
  if (late.chance(STRAGGLERS)) {
    const { tenant, part } = late.pick(submissions);
    for (const one of submissions) if (one.tenant === tenant && one.part === part) one.atMs = STRAGGLER_MS;
  }
  return {
    seed,
    tenants,
    detectors: random.integer(1, 3),
    submissions: submissions.sort((left, right) => left.atMs - right.atMs),
    faults: faults.sort((left, right) => left.atMs - right.atMs),
  };
}

/** Files that follow each other, and some that repeat parts of them. */
function stretchesOf(random: Random): [number, number][] {
  const cuts = Array.from({ length: random.integer(2, 6) }, () => random.between(0.1, 0.95)).sort(
    (left, right) => left - right,
  );
  const bounds = [0, ...cuts, 1];
  const stretches = bounds.slice(1).map((end, index): [number, number] => [bounds[index], end]);
  for (let more = random.integer(0, 2); more > 0; more--) {
    const from = random.between(0, 0.6);
    stretches.push([from, from + random.between(0.25, 0.4)]);
  }
  // A short file may consist of unusable rows alone, and would be refused.
  return stretches.filter(([from, to]) => to - from > 0.03 || from === 0 || to === 1);
}

/** Every file once, some twice; mostly in order of time, as exports come. */
function submissionsOf(tenant: string, files: number, random: Random): Submission[] {
  const isOrdered = random.chance(0.7);
  const times = Array.from({ length: files }, () => random.integer(0, ACTIVE_MS)).sort((left, right) => left - right);
  const parts = Array.from({ length: files }, (_, part) => part);
  const order = isOrdered ? parts : random.shuffle(parts);
  const submissions = order.map((part, index) => ({ atMs: times[index], tenant, part }));
  for (const { part } of submissions.slice()) {
    if (random.chance(0.2)) submissions.push({ atMs: random.integer(0, ACTIVE_MS), tenant, part });
  }
  return submissions;
}

/** A schedule in a line. */
export function textOf({ tenants, detectors, submissions, faults }: Plan): string {
  const times = faults.map(({ kind, atMs, forMs }) => `${kind} at ${seconds(atMs)} for ${seconds(forMs)}`);
  const late = submissions.some(({ atMs }) => atMs === STRAGGLER_MS) ? ', one late' : '';
  const files = new Set(submissions.map(({ tenant, part }) => `${tenant} ${part}`)).size;
  return `${tenants.length} tenants, ${files} files${late}, ${detectors} detectors; ${times.join(', ')}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
