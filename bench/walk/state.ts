/**
 * How large the state of a walk is with many keys: light ones, of which a row was seen once, and heavy ones, which have
 * a variance of their own. Bytes of `Walk.save()` as structured clone writes them, part by part; dictionaries aside.
 *
 *     node bin/node24.js bench/walk/state.ts [--light 1000000] [--heavy 50000]
 */

import { parseArgs } from 'node:util';
import { serialize } from 'node:v8';
import { detectionSettings } from '../../src/config/detection.ts';
import { AcceptedDomains } from '../../src/core/accepted-domains.ts';
import { DAY_MS, hourSlotsOf } from '../../src/core/calendar.ts';
import * as record from '../../src/core/record.ts';
import { TenantModel } from '../../src/core/tenant.ts';
import { Walk, type WalkState } from '../../src/core/walk/walk.ts';

const { values } = parseArgs({
  options: { light: { type: 'string', default: '1000000' }, heavy: { type: 'string', default: '50000' } },
});
const light = Number(values.light);
const heavy = Number(values.heavy);
const startMs = Date.UTC(2026, 0, 5);
/** Light keys appear once, heavy ones have so many rows on each of these days; then the days are sealed. */
const DAYS = 15;
const HEAVY_ROWS = 2;
const QUIET_DAYS = 4;

const ids = {
  domain: (id: number) => (id === 1 ? 'contoso.com' : `d${id}.example`),
  source: (id: number) => `${10 + (id >>> 24)}.${(id >>> 16) & 255}.${(id >>> 8) & 255}.${id & 255}`,
  connector: (id: number) => `connector ${id}`,
};
const tenant = new TenantModel(new AcceptedDomains([{ name: 'contoso.com', matchSubDomains: false }]), ids);
const settings = detectionSettings(null);
const walk = new Walk(settings, tenant, hourSlotsOf('UTC'), ids);

/** Of ten keys four are mailboxes here, three sender domains and three sources. */
type Kind = 'mailbox' | 'domain' | 'source';
const kindOf = (key: number): Kind => (key % 10 < 4 ? 'mailbox' : key % 10 < 7 ? 'domain' : 'source');

let serial = 0;
function writeRow(words: Uint32Array, doubles: Float64Array, row: number, timeMs: number, key: number): void {
  const base = row * record.RECORD_WORDS;
  serial++;
  doubles[row * record.RECORD_DOUBLES] = timeMs;
  words[base + record.MESSAGE_LO] = Math.imul(serial, 0x9e3779b1);
  words[base + record.MESSAGE_HI] = serial;
  words[base + record.RECIPIENT_LO] = Math.imul(serial % 200_000, 0x85ebca6b);
  words[base + record.RECIPIENT_HI] = serial % 200_000;
  words[base + record.RECIPIENT_DOMAIN] = 2;
  const kind = kindOf(key);
  words[base + record.SENDER_LO] = Math.imul(key + 1, 0xc2b2ae35);
  words[base + record.SENDER_HI] = key + 1;
  words[base + record.SENDER_DOMAIN] = kind === 'mailbox' ? 1 : kind === 'domain' ? key + 10 : 3;
  words[base + record.SOURCE] = kind === 'source' ? key + 1 : 0;
  words[base + record.CONNECTOR] = 0;
  words[base + record.FLAGS] = record.STATUS_DELIVERED | (record.SENDER_ADDRESS << record.SENDER_KIND_SHIFT);
}

function walkDay(day: number, keys: readonly number[]): void {
  const buffer = new ArrayBuffer(keys.length * record.RECORD_BYTES);
  const words = new Uint32Array(buffer);
  const doubles = new Float64Array(buffer);
  const everyMs = DAY_MS / keys.length;
  keys.forEach((key, row) => {
    writeRow(words, doubles, row, startMs + day * DAY_MS + Math.floor(row * everyMs), key);
  });
  walk.block({ words, doubles, count: keys.length });
}

const perDay = Math.ceil(light / DAYS);
for (let day = 0; day < DAYS; day++) {
  const seenOnce = Math.max(0, Math.min(perDay, light - day * perDay));
  walkDay(
    day,
    Array.from({ length: seenOnce + heavy * HEAVY_ROWS }, (_, index) =>
      index < seenOnce ? heavy + day * perDay + index : index % heavy,
    ),
  );
}
for (let day = 0; day < QUIET_DAYS; day++) walkDay(DAYS + day, [0, 1, 2, 5, 8]);

const DICTIONARIES: readonly (keyof WalkState)[] = ['domainKeys', 'connectorKeys', 'sourceKeys', 'mailboxKeys'];
/** A series by source is two: by connector and by address. */
const names = settings.series.flatMap(({ id, key }) => (key === 'source' ? [`${id}:connector`, `${id}:source`] : [id]));
const state = walk.save();
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
let total = 0;
const parts: [name: string, bytes: number][] = [];
for (const [name, part] of Object.entries(state)) {
  if (name === 'series') {
    state.series.forEach((one, index) => {
      parts.push([`series ${names[index]}`, serialize(one).length]);
    });
  } else parts.push([name, serialize(part).length]);
}
for (const [name, bytes] of parts.sort((left, right) => right[1] - left[1])) {
  const isDictionary = DICTIONARIES.includes(name as keyof WalkState);
  if (!isDictionary) total += bytes;
  if (bytes > 2 ** 18)
    process.stdout.write(`${mebibytes(bytes).padStart(12)}  ${name}${isDictionary ? ' (dictionary)' : ''}\n`);
}
process.stdout.write(
  `${mebibytes(total).padStart(12)}  ${light.toLocaleString('en')} light and ${heavy.toLocaleString('en')} heavy keys, dictionaries aside\n`,
);
