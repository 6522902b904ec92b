/** The counters of a walk: each series, the rows of the log that it counts, and its members of incidents. */

import { dayOf } from '../calendar.ts';
import type { SeriesName } from '../incident-document.ts';
import type { DetectionSettings, MailboxCeiling, SeriesSettings } from '../series-settings.ts';
import type { DayClock } from './day-clock.ts';
import type { MemberCounts } from './hit-facts.ts';
import type { Incident } from './incident.ts';
import { KeyCounts } from './key-counts.ts';
import { KeyedSeries, type KeyedSeriesState } from './keyed-series.ts';
import { CeilingMember, SeriesMember } from './members.ts';
import { RampTest, type RampTestState } from './ramp-test.ts';
import {
  LOG_BITS,
  LOG_CONNECTOR,
  LOG_DOMAIN,
  LOG_MAILBOX,
  LOG_SOURCE,
  ROW_EXTERNAL,
  ROW_MAILBOX,
  ROW_MAILBOX_TO_STRANGER,
  ROW_NEW,
  ROW_NULL_SENDER,
  ROW_RELAYED,
  ROW_UNREGISTERED,
  weightOf,
} from './row-log.ts';

/** A series and how its rows are found in the log. */
export interface Counter {
  series: KeyedSeries;
  /** Names the counter in member ids; connectors and sources are two counters of one series. */
  name: string;
  bits: number;
  campaignBits: number;
  keyWord: number | null;
  weighted: boolean;
  touched: KeyCounts;
  ramp: RampTest | null;
  /** Members made of keys that hit, or were asked for, while an incident was open. */
  members: Map<number, MemberCounts>;
}

/** The bits by which counters choose their rows. */
export const COUNTED_BITS =
  ROW_RELAYED | ROW_UNREGISTERED | ROW_NULL_SENDER | ROW_MAILBOX | ROW_EXTERNAL | ROW_MAILBOX_TO_STRANGER | ROW_NEW;

/** Which rows the series count, and which their campaigns do. */
const SERIES_BITS: Record<SeriesSettings['rows'], { counted: number; campaign: number }> = {
  unregistered: { counted: ROW_UNREGISTERED, campaign: ROW_UNREGISTERED },
  unregistered_not_forwarded: { counted: ROW_RELAYED, campaign: ROW_RELAYED },
  unregistered_new: { counted: ROW_NEW, campaign: ROW_RELAYED },
  accepted_mailbox: { counted: ROW_MAILBOX, campaign: ROW_MAILBOX },
  accepted_mailbox_to_stranger: { counted: ROW_MAILBOX_TO_STRANGER, campaign: ROW_MAILBOX },
  external: { counted: ROW_EXTERNAL, campaign: ROW_EXTERNAL },
};

export class Counters {
  readonly #clock: DayClock;
  readonly #ceilings: readonly MailboxCeiling[];
  readonly #all: Counter[] = [];
  /** The counters of a row, by those of its bits that counters choose by. */
  readonly #byBits: readonly (readonly Counter[])[];
  readonly #byName = new Map<string, Counter>();
  readonly #ramped: { ramp: RampTest; memberId: string }[] = [];
  /** External recipients of mailboxes, which our ceilings and Microsoft's limits look at too. */
  readonly recipients: Counter;

  constructor(settings: DetectionSettings, clock: DayClock) {
    this.#clock = clock;
    this.#ceilings = settings.ceilings.mailbox;
    for (const series of settings.series) this.#addSeries(series);
    this.#byBits = Array.from({ length: COUNTED_BITS + 1 }, (_, bits) =>
      this.#all.filter((counter) => (counter.bits & bits) !== 0),
    );
    this.recipients = this.#byName.get('mailbox_recipients') as Counter;
  }

  get all(): readonly Counter[] {
    return this.#all;
  }

  /** The counters that have a test of ramps. */
  get ramped(): readonly { ramp: RampTest; memberId: string }[] {
    return this.#ramped;
  }

  named(name: string): Counter | undefined {
    return this.#byName.get(name);
  }

  /** The series of a counter that every tenant has. */
  series(name: string): KeyedSeries {
    return (this.#byName.get(name) as Counter).series;
  }

  /** A series of the whole tenant. */
  tenantSeries(name: SeriesName): KeyedSeries | null {
    const counter = this.#byName.get(name);
    return counter === undefined || counter.keyWord !== null ? null : counter.series;
  }

  saveSeries(): KeyedSeriesState[] {
    return this.#all.map((counter) => counter.series.save());
  }

  saveRamps(): (RampTestState | null)[] {
    return this.#all.map((counter) => counter.ramp?.save() ?? null);
  }

  load(series: readonly KeyedSeriesState[], ramps: readonly (RampTestState | null)[]): void {
    this.#all.forEach((counter, index) => {
      counter.series.load(series[index]);
      const ramp = ramps[index];
      if (ramp !== null) counter.ramp?.load(ramp);
    });
  }

  /** Counts a row of the log. */
  add(words: Uint32Array, row: number, timeMs: number): void {
    const weight = weightOf(words, row);
    for (const counter of this.#byBits[words[row + LOG_BITS] & COUNTED_BITS]) {
      const key = counter.keyWord === null ? 0 : words[row + counter.keyWord];
      if (counter.keyWord !== null && key === 0) continue;
      const amount = counter.weighted ? weight : 1;
      if (amount === 0) continue;
      counter.series.add(key, amount, timeMs);
      counter.ramp?.add(amount, timeMs);
      counter.touched.add(key, 1);
    }
  }

  /** Takes a row of the log out of a window. */
  expire(words: Uint32Array, row: number, window: number): void {
    const weight = weightOf(words, row);
    for (const counter of this.#byBits[words[row + LOG_BITS] & COUNTED_BITS]) {
      const key = counter.keyWord === null ? 0 : words[row + counter.keyWord];
      if (counter.keyWord !== null && key === 0) continue;
      const amount = counter.weighted ? weight : 1;
      if (amount !== 0) counter.series.expire(key, window, amount);
    }
  }

  /** The batch is over. */
  clearTouched(): void {
    for (const counter of this.#all) counter.touched.clear();
  }

  /** Whether a key of a row of the log was abused on a day. */
  isAbused(words: Uint32Array, row: number, day: number): boolean {
    for (const { series, keyWord } of this.#all) {
      if (keyWord !== null && series.isAbused(words[row + keyWord], day)) return true;
    }
    return false;
  }

  /** A member of an incident by its id: the name of a counter, or `ceiling`, and the key. */
  member(id: string): MemberCounts {
    const [name, keyText] = id.split('|');
    const key = Number(keyText);
    if (name !== 'ceiling') return this.seriesMember(this.#byName.get(name) as Counter, key);
    return new CeilingMember(id, this.recipients.series, key, this.#ceilings);
  }

  seriesMember(counter: Counter, key: number): MemberCounts {
    let member = counter.members.get(key);
    if (member === undefined) {
      member = new SeriesMember(`${counter.name}|${key}`, counter.series, key);
      counter.members.set(key, member);
    }
    return member;
  }

  /** The members whose counts the batch has changed. */
  touchedMembers(): MemberCounts[] {
    const members: MemberCounts[] = [];
    for (const counter of this.#all) {
      const { touched } = counter;
      for (let index = 0; index < touched.size; index++) members.push(this.seriesMember(counter, touched.keys[index]));
    }
    return members;
  }

  /** The day of an incident that is abuse, and the day before, teach nothing about its members and the whole tenant. */
  teachNothing(incident: Incident, timeMs: number): void {
    const today = dayOf(timeMs);
    const first = Math.max(dayOf(incident.startMs), today - 1);
    for (let day = first; day <= today; day++) {
      for (const counter of this.#all) if (counter.keyWord === null) counter.series.teachNothing(0, day);
      for (const id of incident.members.keys()) {
        const [name, key] = id.split('|');
        this.#byName.get(name)?.series.teachNothing(Number(key), day);
      }
    }
  }

  #addSeries(settings: SeriesSettings): void {
    if (settings.key === 'source') {
      // Null senders count for the source they come through, unless they are true NDRs.
      this.#add(settings, `${settings.id}:connector`, LOG_CONNECTOR, ROW_NULL_SENDER);
      this.#add(settings, `${settings.id}:source`, LOG_SOURCE, ROW_NULL_SENDER);
    } else if (settings.key === 'tenant') this.#add(settings, settings.id, null);
    else this.#add(settings, settings.id, settings.key === 'domain' ? LOG_DOMAIN : LOG_MAILBOX);
  }

  #add(settings: SeriesSettings, name: string, keyWord: number | null, more = 0): void {
    const { counted, campaign } = SERIES_BITS[settings.rows];
    const series = new KeyedSeries(settings, this.#clock);
    const counter: Counter = {
      series,
      name,
      bits: counted | more,
      campaignBits: campaign | more,
      keyWord,
      weighted: settings.unit === 'weight',
      touched: new KeyCounts(),
      ramp: settings.ramp === null ? null : new RampTest(settings.ramp, series, this.#clock),
      members: new Map(),
    };
    this.#all.push(counter);
    this.#byName.set(name, counter);
    if (counter.ramp !== null) this.#ramped.push({ ramp: counter.ramp, memberId: `${name}|0` });
  }
}
