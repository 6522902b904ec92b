/** What an incident says in words: its sentence, and why it was raised. */

import { formatTime } from './calendar.ts';
import type { Contributors } from './incident-document.ts';
import { REFUSAL_ADDRESS_BLOCKED, REFUSAL_THRESHOLD_EXCEEDED, REFUSAL_UNREGISTERED_BLOCKED } from './record.ts';
import type { DetectionNumbers, Incident } from './walk/incident.ts';

/** What Microsoft answers while the tenant is blocked, by the kind of refusal. */
export const BLOCKS: Readonly<Record<number, { code: string; why: string }>> = {
  [REFUSAL_ADDRESS_BLOCKED]: { code: '5.7.708', why: 'it accepts no traffic from the address' },
  [REFUSAL_THRESHOLD_EXCEEDED]: { code: '5.7.705', why: 'the tenant has exceeded its threshold' },
  [REFUSAL_UNREGISTERED_BLOCKED]: { code: '5.7.750', why: 'the tenant may not send from unregistered domains' },
};

/** A share of the rows that says something. */
const TELLING_SHARE = 0.1;
/** A way in of so many of the rows is that of the incident. */
const MOST = 0.5;
const NAME_LENGTH = 100;
const POWERS_OF_TEN = Math.LOG10E;
/** Beyond that the expectation itself is what may be wrong. */
const MAX_POWER = 9;

/**
 * Why it was raised, in clauses behind semicolons: the count and its expectation, how unlikely that is, what its rows
 * have in common since it began, and how much of the limit is used. Clauses that say nothing are left out.
 */
export function reasonOf(incident: Incident, contributors: Contributors): string {
  const { limit, family } = incident;
  const { observed, score } = incident.numbers;
  if (observed === null || score === null) {
    const { code, why } = BLOCKS[incident.key.a];
    return `Microsoft answers 550 ${code}: ${why}`;
  }
  const counted = `${recipients(observed)} in ${windowText(incident.numbers.window ?? '')}`;
  if (limit !== null && family === 'limit') {
    return `${counted}, ${Math.round((observed / limit.budget) * 100)} % of ${grouped(limit.budget)}`;
  }
  const clauses = [`${counted}, ${expectationText(incident.numbers)}`];
  const evidence = evidenceText(incident.numbers);
  if (evidence !== null) clauses.push(evidence);
  clauses.push(rowsText(incident, contributors));
  const used = limit === null ? 0 : Math.round((limit.used / limit.budget) * 100);
  if (used > 0) clauses.push(`${used} % of the 24-h limit`);
  return clauses.join('; ');
}

function windowText(window: string): string {
  return window.replace(/(?<=\d)(?=[mh])/, ' ').replace('m', 'min');
}

function expectationText({ expected, expectedP95, score }: DetectionNumbers): string {
  if (expected === null || expectedP95 === null) {
    return `${Math.round((score ?? 0) * 100)} % of what one mailbox may send`;
  }
  const hundredths = Math.round(expected * 100);
  const rate = expected < 10 ? String(hundredths / 100) : grouped(expected);
  return `${hundredths === 0 ? 'almost none' : rate} expected (95 % up to ${grouped(expectedP95)})`;
}

/** How much likelier the count is under the rate that it shows than under the expected one. */
export function evidenceText({ statistic, score }: DetectionNumbers): string | null {
  if (statistic === 'ceiling' || statistic === null || score === null) return null;
  // A scan's score is the root of twice its log-likelihood ratio; a ramp's is that ratio.
  const nats = statistic === 'scan' ? (score * score) / 2 : score;
  const power = Math.floor(nats * POWERS_OF_TEN);
  return power > MAX_POWER ? `evidence over 10^${MAX_POWER} to 1` : `evidence 10^${power} to 1`;
}

function rowsText({ startMs, detectedMs, totals }: Incident, { connectors, sources }: Contributors): string {
  const { traits } = totals;
  const parts = [`since ${clock(startMs, detectedMs)}: ${recipients(traits.pairs)}`];
  const [connector] = connectors;
  const [source] = sources;
  const all = (count: number) => (count === traits.pairs ? 'all' : grouped(count));
  if (connector !== undefined && connector.share >= MOST) {
    parts.push(`${all(connector.recipients)} through connector "${shortened(connector.key)}"`);
  } else if (source !== undefined && source.share >= MOST) {
    parts.push(`${all(source.recipients)} from ${source.key}`);
  }
  const marks: readonly (readonly [count: number, text: string])[] = [
    [traits.strangers, 'to new recipients'],
    [traits.refused, 'failed or filtered as spam'],
    [traits.headerDiffers, 'with another sender in the header'],
  ];
  for (const [count, text] of marks) if (traits.share(count) >= TELLING_SHARE) parts.push(`${all(count)} ${text}`);
  return parts.join(', ');
}

/** Names of connectors have at most 64 characters in Exchange; in an export they are what stands there. */
function shortened(name: string): string {
  return name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH - 1)}…` : name;
}

function recipients(count: number): string {
  return `${grouped(count)} ${count === 1 ? 'recipient' : 'recipients'}`;
}

/** What happened, in a sentence or two. */
export function sentence(incident: Incident, contributors: Contributors): string {
  const { totals } = incident;
  const since = `since ${clock(incident.startMs, incident.detectedMs)}`;
  const told = `${grouped(incident.recipientsAtDetection)} ${
    incident.recipientsAtDetection === 1 ? 'was' : 'were'
  } enough to tell at ${formatTime(incident.detectedMs).slice(11, 16)}`;
  const reached = recipients(totals.recipients);
  if (incident.family === 'limit' && incident.limit !== null) {
    const { name, used, budget } = incident.limit;
    const who = incident.key.a === 0 ? 'The tenant' : (contributors.mailboxes[0]?.key ?? 'A mailbox');
    return `${who} used ${grouped(used)} of ${grouped(budget)} external recipients in 24 hours (${name}).`;
  }
  if (incident.family === 'blocked') {
    const { code, why } = BLOCKS[incident.key.a];
    return `Microsoft refuses mail of the tenant (550 ${code}, ${why}): ${reached} ${since}.`;
  }
  if (incident.family === 'bulk') {
    const first = contributors.mailboxes[0];
    const count = totals.traits.mailboxes.size;
    const who =
      first === undefined
        ? 'Senders without an address'
        : count === 1 || first.share >= 0.9
          ? first.key
          : `${grouped(count)} mailboxes, ${first.key} first,`;
    return `${who} sent to ${reached} ${since}; ${told}.`;
  }
  const domains = totals.traits.domains.size;
  const first = contributors.domains[0]?.key;
  const who =
    first === undefined
      ? 'Mail without a sender domain went'
      : domains === 1
        ? `The unregistered domain ${first} sent`
        : `${grouped(domains)} unregistered domains, ${first} first, sent`;
  return `${who} to ${reached}${wayIn(contributors)} ${since}; ${told}.`;
}

function wayIn(contributors: Contributors): string {
  const connector = contributors.connectors[0];
  const source = contributors.sources[0];
  const from = source !== undefined && source.share >= 0.5 ? source.key : null;
  if (connector !== undefined && connector.share >= 0.5) {
    return ` through connector "${connector.key}"${from === null ? '' : ` (${from})`}`;
  }
  return from === null ? '' : ` from ${from}`;
}

/** The time of day, with the date where it is another day. */
function clock(timeMs: number, referenceMs: number): string {
  const text = formatTime(timeMs);
  const sameDay = text.slice(0, 10) === formatTime(referenceMs).slice(0, 10);
  return sameDay ? text.slice(11, 16) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

/** A whole number with commas, as in 3,106. */
function grouped(value: number): string {
  const rounded = String(Math.round(value));
  return rounded.replace(/\B(?=(?:\d{3})+$)/g, ',');
}
