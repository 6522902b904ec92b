/** One tenant delivered in other ways: shuffled and with repetitions as exports are, and live, up to a day late. */

import type { IncidentWrite } from '../../src/core/delivery.ts';
import { describeIncidents, IncidentDescriber } from '../../src/core/documents.ts';
import { ChosenTexts, ObservationCounts, PairTable } from '../../src/core/identity.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { LiveWalk } from '../../src/core/live/live-walk.ts';
import { Publication } from '../../src/core/live/publication.ts';
import { visitDays } from '../../src/core/order.ts';
import { createRecordScratch } from '../../src/core/record.ts';
import type { DetectionSettings } from '../../src/core/series-settings.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, type Traffic } from '../traffic/message.ts';
import type { Random } from '../traffic/random.ts';
import { documentOptions } from './record-walk.ts';
import { RowEncoder } from './row-encoder.ts';

/** Share of rows that come a second time. */
const REPEATED = 0.1;

/** Incidents of the rows in a random order, some of them more than once. */
export function shuffledIncidents(traffic: Traffic, settings: DetectionSettings, random: Random): IncidentDocument[] {
  const encoder = new RowEncoder(traffic);
  const rows = encoder.encode(random.shuffle(traffic.messages));
  const order = Array.from({ length: rows.size }, (_, index) => index);
  for (let index = 0; index < rows.size; index++) if (random.chance(REPEATED)) order.push(index);
  const chosen = new ChosenTexts();
  const table = new PairTable(new ObservationCounts(), chosen, encoder.idTexts, encoder.texts);
  const scratch = createRecordScratch();
  for (const index of random.shuffle(order)) {
    rows.copyTo(index, scratch.words, 0);
    table.add(scratch);
  }
  table.seal();
  const walk = encoder.createWalk(settings);
  visitDays(table, (block) => walk.block(block));
  walk.finish(walk.seen.lastMs ?? traffic.startMs);
  return describeIncidents(walk, encoder.texts, chosen, documentOptions(traffic), null).incidents;
}

export interface LiveDelivery {
  /** Incidents as they were last published, without those that were taken back. */
  incidents: IncidentDocument[];
  published: number;
  /** Incidents that were published and taken back, as they were then. */
  retracted: IncidentDocument[];
}

/** Most rows come within minutes, some within hours, a few almost a day late. */
function delayMs(random: Random): number {
  const u = random.uniform();
  if (u < 0.7) return random.exponential(3 * MINUTE_MS);
  return random.uniform() * (u < 0.95 ? 6 * HOUR_MS : 23.9 * HOUR_MS);
}

/** Rows one by one by their time of arrival; what has come is walked and published every so often. */
export function liveIncidents(
  traffic: Traffic,
  settings: DetectionSettings,
  random: Random,
  everyMs = 20 * MINUTE_MS,
): LiveDelivery {
  const encoder = new RowEncoder(traffic);
  const rows = encoder.encode(traffic.messages);
  const arrivals: { index: number; atMs: number }[] = [];
  for (let index = 0; index < rows.size; index++) {
    const copies = random.chance(REPEATED) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) arrivals.push({ index, atMs: rows.timeOf(index) + delayMs(random) });
  }
  arrivals.sort((a, b) => a.atMs - b.atMs || a.index - b.index);
  const chosen = new ChosenTexts();
  const counts = new ObservationCounts();
  const live = new LiveWalk({
    counts,
    createTable: () => new PairTable(counts, chosen, encoder.idTexts, encoder.texts),
    createWalk: () => encoder.createWalk(settings),
  });
  const publication = new Publication(traffic.tenant, 1);
  const latest = new Map<string, IncidentDocument>();
  const published = new Set<string>();
  const retracted: IncidentDocument[] = [];
  const publish = (nowMs: number, isLast: boolean): void => {
    const changedFromMs = live.settle();
    const endMs = live.walk.seen.lastMs;
    if (endMs === null) return;
    const describer = new IncidentDescriber(live.walk, encoder.texts, chosen, documentOptions(traffic));
    const taken = new Set<string>();
    const current = live.walk.incidentsAt(endMs).map((incident) => ({
      id: describer.id(incident, taken),
      incident,
      describe: (id: string) => describer.describe(incident, id).document,
    }));
    const writes = publication.update(current, changedFromMs, nowMs, isLast);
    for (const write of writes) {
      if (write.kind !== 'incident') continue;
      const { id, document } = write as IncidentWrite;
      published.add(id);
      if (document.relaywatch.incident.state === 'retracted') {
        retracted.push(document);
        latest.delete(id);
      } else {
        latest.set(id, document);
      }
    }
  };
  const scratch = createRecordScratch();
  let nextMs = Number.NEGATIVE_INFINITY;
  for (const { index, atMs } of arrivals) {
    if (atMs >= nextMs) {
      publish(atMs, false);
      const day = live.sealableDay;
      if (day !== null) {
        live.seal(day, (place) => place);
        publication.sealBefore(day * DAY_MS);
      }
      nextMs = atMs + everyMs;
    }
    rows.copyTo(index, scratch.words, 0);
    live.observe(scratch, atMs);
  }
  publish((arrivals.at(-1)?.atMs ?? 0) + DAY_MS, true);
  return { incidents: [...latest.values()], published: published.size, retracted };
}

/** What has to be equal: all but the id, which a published incident keeps when its rows make another one. */
export function comparable(documents: readonly IncidentDocument[]): string[] {
  return documents.map((document) => JSON.stringify({ ...document, event: { ...document.event, id: '' } })).sort();
}
