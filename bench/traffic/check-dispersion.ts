/**
 * Prints how over-dispersed generated tenants are, beside real mail, so that the world can be held
 * against what it imitates:
 *
 *     node bench/traffic/check-dispersion.ts [--seeds 5] [--days 140] [--traces FOLDER]
 *
 * "Published" is what an earlier study of the same real traces found with a season and a level that
 * adapt; "here" is the estimator of `dispersion.ts` (a fixed season), for generated tenants and,
 * where the folder with the traces exists, for the real ones.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultTracesFolder, parseTrace, TRACES } from '../traces/trace.ts';
import { type DispersionRow, type DispersionTable, measureDispersion } from './dispersion.ts';
import { DAY_MS, HOUR_MS } from './message.ts';
import { Random } from './random.ts';
import { generateBackground } from './world.ts';

const SERIES = ['total', 'unregistered', 'domain', 'mailbox'] as const;

const PUBLISHED: Record<string, Record<(typeof SERIES)[number], string[]>> = {
  radoslaw: {
    total: ['.53', '.27', '.14', '.11', '.04'],
    unregistered: ['.99', '.49', '.31', '.25', '.08'],
    domain: ['3.4', '1.3', '.5', '.3', '.1'],
    mailbox: ['12', '3.6', '1.0', '.6', '.25'],
  },
  'eu-core': {
    total: ['.47', '.25', '.15', '.12', '.09'],
    unregistered: ['1.1', '.47', '.21', '.15', '.12'],
    domain: ['3.9', '1.3', '.4', '.2', '.15'],
    mailbox: ['20', '6.5', '2.0', '1.2', '.45'],
  },
  enron: {
    total: ['2.2', '1.2', '.70', '.56', '.32'],
    unregistered: ['9.5', '3.1', '1.1', '.83', '.48'],
    domain: ['44', '12', '3.2', '1.8', '1.1'],
    mailbox: ['36', '11', '3.1', '1.9', '1.2'],
  },
};

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function generatedPairs(seed: string, rowsPerDay: number, days: number): DispersionRow[] {
  return generatedRows(seed, rowsPerDay, days, Infinity);
}

/** Messages count as most tests of the detector count them: at most five recipients each. */
function generatedRows(seed: string, rowsPerDay: number, days: number, mostRecipients = 5): DispersionRow[] {
  const startMs = Date.UTC(2026, 0, 5);
  const { traffic } = generateBackground({ seed, startMs, days, rowsPerDay });
  const accepted = new Set(traffic.acceptedDomains);
  const rows: DispersionRow[] = [];
  for (const message of traffic.messages) {
    const here = accepted.has(domainOf(message.sender));
    const outward = message.recipients.filter((recipient) => !accepted.has(domainOf(recipient.address))).length;
    const offsetMs = message.timeMs - startMs;
    rows.push({
      offsetMs,
      count: Math.min(mostRecipients, message.recipients.length),
      mailbox: here && message.fromIp === '' ? message.sender : '',
      unregisteredDomain: '',
    });
    if (!here && message.sender !== '<>' && outward > 0) {
      const count = Math.min(mostRecipients, outward);
      rows.push({ offsetMs, count, mailbox: '', unregisteredDomain: domainOf(message.sender) });
    }
  }
  return rows;
}

/** A trace as one tenant: mail into twelve random mailboxes leaves again, so its senders are unregistered. */
function traceRows(
  text: string,
  name: (typeof TRACES)[number]['name'],
  seed: string,
): { rows: DispersionRow[]; days: number } {
  const edges = parseTrace(text, name);
  const nodes = [...new Set(edges.flatMap((edge) => [edge.from, edge.to]))].sort((a, b) => a - b);
  const forwarding = new Set(new Random(`${name}/${seed}`).sample(nodes, 12));
  // Days count from the Monday before the first row (1970-01-01 was a Thursday).
  const startMs = (Math.floor((edges[0].timeMs / DAY_MS + 3) / 7) * 7 - 3) * DAY_MS;
  const days = Math.ceil((edges[edges.length - 1].timeMs - startMs) / DAY_MS / 7) * 7;
  const perMessage = new Map<string, number>();
  const rows = edges.map((edge) => {
    const message = `${edge.from}/${edge.timeMs}`;
    const before = perMessage.get(message) ?? 0;
    perMessage.set(message, before + 1);
    return {
      offsetMs: edge.timeMs - startMs,
      count: before < 5 ? 1 : 0,
      mailbox: String(edge.from),
      unregisteredDomain: forwarding.has(edge.to) ? `node${edge.from}` : '',
    };
  });
  return { rows, days };
}

function meanTable(tables: DispersionTable[]): Record<(typeof SERIES)[number], string[]> {
  const mean = (name: (typeof SERIES)[number]): string[] =>
    tables[0][name].map((_, window) =>
      (tables.reduce((sum, table) => sum + table[name][window], 0) / tables.length).toFixed(2),
    );
  return { total: mean('total'), unregistered: mean('unregistered'), domain: mean('domain'), mailbox: mean('mailbox') };
}

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, days: { type: 'string' }, traces: { type: 'string' } },
});
const seeds = Number(values.seeds ?? 5);
const days = Number(values.days ?? 140);
const columns: [string, Record<(typeof SERIES)[number], string[]>][] = Object.entries(PUBLISHED).map(
  ([name, table]) => [`${name}, published`, table],
);
const folder = values.traces ?? defaultTracesFolder();
for (const trace of TRACES) {
  const path = join(folder, trace.file);
  if (!existsSync(path)) {
    process.stderr.write(`${path} is missing: no column for ${trace.name}\n`);
    continue;
  }
  const text = readFileSync(path, 'utf8');
  const tables = Array.from({ length: seeds }, (_, seed) => {
    const real = traceRows(text, trace.name, String(seed));
    return measureDispersion(real.rows, real.days);
  });
  columns.push([`${trace.name}, here`, meanTable(tables)]);
}
for (const rowsPerDay of [300, 1000, 10_000]) {
  const worlds = rowsPerDay > 1000 ? Math.min(2, seeds) : seeds;
  const length = rowsPerDay > 1000 ? Math.min(98, days) : days;
  const tables = Array.from({ length: worlds }, (_, seed) =>
    measureDispersion(generatedRows(`dispersion/${seed}`, rowsPerDay, length), length),
  );
  columns.push([`generated, ${rowsPerDay} rows a day`, meanTable(tables)]);
}
const lines = ['| | series | 15 min | 1 h | 6 h | 24 h | 7 d |', '|---|---|---|---|---|---|---|'];
for (const series of SERIES) {
  for (const [name, table] of columns) lines.push(`| ${name} | ${series} | ${table[series].join(' | ')} |`);
}
process.stdout.write(`${lines.join('\n')}\n`);

/** Hours with many recipients: real mail has peaks that nobody means ill by. */
const PEAKS = [
  { name: 'radoslaw, published', hundred: '0.9', fifty: '0.11' },
  { name: 'eu-core, published', hundred: '0', fifty: '0' },
  { name: 'enron, published', hundred: '1.0', fifty: '0.22' },
];
for (const rowsPerDay of [300, 1000]) {
  let hundred = 0;
  let fifty = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const byHour = new Map<string, number>();
    for (const row of generatedPairs(`dispersion/${seed}`, rowsPerDay, days)) {
      const hour = Math.floor(row.offsetMs / HOUR_MS);
      for (const key of [row.mailbox, row.unregisteredDomain === '' ? '' : 'unregistered']) {
        if (key !== '') byHour.set(`${key} ${hour}`, (byHour.get(`${key} ${hour}`) ?? 0) + row.count);
      }
    }
    for (const [key, count] of byHour) {
      if (key.startsWith('unregistered ')) fifty += count >= 50 ? 1 : 0;
      else hundred += count >= 100 ? 1 : 0;
    }
  }
  const months = (seeds * days) / 30;
  const name = `generated, ${rowsPerDay} rows a day`;
  PEAKS.push({ name, hundred: (hundred / months).toFixed(2), fifty: (fifty / months).toFixed(2) });
}
const peakLines = [
  '| | hours a month in which a mailbox has 100 recipients | hours a month with 50 unregistered recipients |',
  '|---|---|---|',
];
for (const peak of PEAKS) peakLines.push(`| ${peak.name} | ${peak.hundred} | ${peak.fifty} |`);
process.stdout.write(`\n${peakLines.join('\n')}\n`);
