/**
 * Writes a generated tenant into a folder: its exports, its accepted domains, and the truth about
 * attacks apart from them.
 *
 *     node bench/traffic/generate.ts OUT --seed 1 --days 35 --rows 300 --format message-trace-v1
 *          [--dates us|british|german|iso] [--encoding utf8-bom|utf8|utf16le|utf16le-bom|utf16be-bom|ascii]
 *          [--order by-time|newest-first|shuffled] [--days-per-file 7] [--overlap-hours 6]
 *          [--hybrid] [--attack-day 30 --attack-hour 14 --attack-rate 200 --attack-domains 1]
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { acceptedDomainsCsv } from './accepted-domains-export.ts';
import { addAttack } from './attack.ts';
import { type ExportFormat, type ExportOptions, exportFiles } from './export-files.ts';
import { countRows, DAY_MS, HOUR_MS } from './message.ts';
import { generateBackground } from './world.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    days: { type: 'string', default: '35' },
    rows: { type: 'string', default: '300' },
    start: { type: 'string', default: '2026-01-05' },
    format: { type: 'string', default: 'message-trace-v1' },
    dates: { type: 'string', default: 'iso' },
    encoding: { type: 'string', default: 'utf8-bom' },
    order: { type: 'string', default: 'by-time' },
    'days-per-file': { type: 'string' },
    'overlap-hours': { type: 'string', default: '0' },
    hybrid: { type: 'boolean', default: false },
    'attack-day': { type: 'string' },
    'attack-hour': { type: 'string', default: '14' },
    'attack-rate': { type: 'string', default: '200' },
    'attack-domains': { type: 'string', default: '1' },
  },
});

const out = positionals[0];
if (out === undefined) {
  process.stderr.write('usage: node bench/traffic/generate.ts OUT [options]; OUT is the folder to write into\n');
  process.exit(2);
}
const startMs = Date.parse(`${values.start}T00:00:00Z`);
const server = { ip: '192.0.2.25', connector: 'Inbound from DC1' };
const background = generateBackground({
  seed: values.seed,
  startMs,
  days: Number(values.days),
  rowsPerDay: Number(values.rows),
  hybrid: values.hybrid ? [{ ...server, applicationRowsPerDay: 12, foreignRowsPerDay: 3 }] : [],
});
if (values['attack-day'] !== undefined) {
  addAttack(background, {
    kind: 'relay',
    id: 'attack',
    startMs: startMs + Number(values['attack-day']) * DAY_MS + Number(values['attack-hour']) * HOUR_MS,
    hours: 3,
    recipientsPerHour: Number(values['attack-rate']),
    domains: { count: Number(values['attack-domains']) },
    source: server,
  });
}
const folder = join(out, 'exports');
mkdirSync(folder, { recursive: true });
let bytes = 0;
let files = 0;
for (const file of exportFiles(background.traffic, {
  format: values.format as ExportFormat,
  dates: values.dates as ExportOptions['dates'],
  encoding: values.encoding as ExportOptions['encoding'],
  order: values.order as ExportOptions['order'],
  daysPerFile: values['days-per-file'] === undefined ? undefined : Number(values['days-per-file']),
  overlapHours: Number(values['overlap-hours']),
})) {
  writeFileSync(join(folder, file.name), file.bytes);
  bytes += file.bytes.length;
  files++;
}
writeFileSync(join(out, 'accepted-domains.csv'), acceptedDomainsCsv(background.traffic.acceptedDomains));
writeFileSync(join(out, 'truth.json'), `${JSON.stringify(background.traffic.attacks, null, 1)}\n`);
process.stderr.write(
  `${files} file(s), ${bytes} bytes, ${background.traffic.messages.length} messages, ` +
    `${countRows(background.traffic.messages)} rows, ${background.traffic.attacks.length} attack(s) in ${out}\n`,
);
