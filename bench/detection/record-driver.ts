/**
 * Runs a trial without files: the messages become pair records in memory, and the product's own
 * identity, walk and documents take it from there. What it says about a trial is what the file
 * driver says (a test compares the two); it only saves writing and reading.
 */

import { detectionSettings } from '../../src/config/detection.ts';
import { AcceptedDomains, expandAcceptedDomains } from '../../src/core/accepted-domains.ts';
import { AddressReader } from '../../src/core/address.ts';
import { hourSlotsOf } from '../../src/core/calendar.ts';
import { Dictionary } from '../../src/core/dictionary.ts';
import { describeIncidents } from '../../src/core/documents.ts';
import { KeyedHash } from '../../src/core/hash.ts';
import { ChosenTexts, ObservationCounts, PairTable } from '../../src/core/identity.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { visitDays } from '../../src/core/order.ts';
import type { PairText, TextSource } from '../../src/core/ports.ts';
import {
  CONNECTOR,
  createRecordScratch,
  DIRECTION_INBOUND,
  DIRECTION_OUTBOUND,
  DIRECTION_SHIFT,
  FLAGS,
  MESSAGE_HI,
  MESSAGE_ID_HI,
  MESSAGE_ID_LO,
  MESSAGE_LO,
  RANK_CONNECTOR_SHIFT,
  RANK_MESSAGE_ID_SHIFT,
  RANK_SENDER_SHIFT,
  RANK_SOURCE_SHIFT,
  RANK_SUBJECT_SHIFT,
  RECIPIENT_DOMAIN,
  RECIPIENT_HI,
  RECIPIENT_LO,
  SENDER_DOMAIN,
  SENDER_HI,
  SENDER_KIND_SHIFT,
  SENDER_LO,
  SENDER_NULL,
  SOURCE,
  STATUSES,
  STATUSES_SEEN_SHIFT,
  SUBJECT,
  writePosition,
} from '../../src/core/record.ts';
import { TenantModel } from '../../src/core/tenant.ts';
import { Walk } from '../../src/core/walk/walk.ts';
import type { RecipientStatus, Traffic } from '../traffic/message.ts';
import type { Driver, Trial } from './scenario.ts';

const STATUS_OF: Record<RecipientStatus, (typeof STATUSES)[number]> = {
  Delivered: 'delivered',
  Failed: 'failed',
  FilteredAsSpam: 'filtered_as_spam',
  Quarantined: 'quarantined',
  Expanded: 'expanded',
  Pending: 'pending',
  GettingStatus: 'getting_status',
};
/** All records come from one made-up format that has every column. */
const RANK = 1;

const ENCODER = new TextEncoder();

class TrafficTexts implements TextSource {
  readonly #places: { message: number; recipient: number }[] = [];
  readonly #traffic: Traffic;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
  }

  /** The position under which a pair is found again. */
  add(message: number, recipient: number): number {
    return this.#places.push({ message, recipient }) - 1;
  }

  read(file: number, offset: number): PairText {
    const place = this.#places[offset];
    const message = this.#traffic.messages[place.message];
    return {
      messageTraceId: message.traceId.replaceAll('-', ''),
      messageId: message.messageId.slice(1, -1),
      sender: message.sender === '<>' ? '' : message.sender,
      recipient: message.recipients[place.recipient].address,
      subject: message.subject,
      file,
      offset,
      length: 1,
    };
  }
}

export function scanTraffic(traffic: Traffic): IncidentDocument[] {
  const hash = new KeyedHash(traffic.tenant);
  const addresses = new AddressReader(hash);
  const domains = new Dictionary(hash);
  const sources = new Dictionary(hash);
  const connectors = new Dictionary(hash);
  const idTexts = {
    domain: (id: number) => domains.text(id),
    source: (id: number) => sources.text(id),
    connector: (id: number) => connectors.text(id),
  };
  const texts = new TrafficTexts(traffic);
  const chosen = new ChosenTexts();
  const table = new PairTable(new ObservationCounts(), chosen, idTexts, texts);
  const { words, doubles } = createRecordScratch();
  const room = new Uint8Array(4096);
  traffic.messages.forEach((message, messageIndex) => {
    doubles[0] = message.timeMs;
    hash.text(message.traceId.replaceAll('-', ''));
    words[MESSAGE_LO] = hash.lo;
    words[MESSAGE_HI] = hash.hi;
    hash.text(message.messageId.slice(1, -1));
    words[MESSAGE_ID_LO] = hash.lo;
    words[MESSAGE_ID_HI] = hash.hi;
    if (!addresses.sender(room, 0, ENCODER.encodeInto(message.sender, room).written)) {
      throw new Error(`${message.sender} is no address`);
    }
    words[SENDER_LO] = addresses.lo;
    words[SENDER_HI] = addresses.hi;
    words[SENDER_DOMAIN] = domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
    let flags = addresses.kind << SENDER_KIND_SHIFT;
    if (addresses.kind !== SENDER_NULL) flags |= RANK << RANK_SENDER_SHIFT;
    flags |= RANK << RANK_MESSAGE_ID_SHIFT;
    words[SUBJECT] = 0;
    if (message.subject !== '') {
      hash.text(message.subject);
      words[SUBJECT] = hash.lo === 0 ? 1 : hash.lo;
      flags |= RANK << RANK_SUBJECT_SHIFT;
    }
    words[SOURCE] = message.fromIp === '' ? 0 : sources.internText(message.fromIp);
    if (message.fromIp !== '') flags |= RANK << RANK_SOURCE_SHIFT;
    words[CONNECTOR] = message.connector === '' ? 0 : connectors.internText(message.connector);
    if (message.connector !== '') flags |= RANK << RANK_CONNECTOR_SHIFT;
    flags |= (message.direction === 'inbound' ? DIRECTION_INBOUND : DIRECTION_OUTBOUND) << DIRECTION_SHIFT;
    message.recipients.forEach((recipient, recipientIndex) => {
      if (!addresses.recipient(room, 0, ENCODER.encodeInto(recipient.address, room).written)) {
        throw new Error(`${recipient.address} is no address`);
      }
      words[RECIPIENT_LO] = addresses.lo;
      words[RECIPIENT_HI] = addresses.hi;
      words[RECIPIENT_DOMAIN] = domains.intern(addresses.bytes, addresses.domainStart, addresses.end);
      const status = STATUSES.indexOf(STATUS_OF[recipient.status]);
      words[FLAGS] = flags | status | (1 << (STATUSES_SEEN_SHIFT + status));
      writePosition(words, 0, 0, texts.add(messageIndex, recipientIndex));
      table.add({ words, doubles });
    });
  });
  table.seal();
  const accepted = new AcceptedDomains(
    expandAcceptedDomains(
      traffic.acceptedDomains.map((name) => ({ name, matchSubDomains: false })),
      [],
      traffic.tenant,
    ),
  );
  const walk = new Walk(detectionSettings(null), new TenantModel(accepted, idTexts), hourSlotsOf('UTC'), idTexts);
  visitDays(table, (block) => walk.block(block));
  walk.finish(walk.seen.lastMs ?? traffic.startMs);
  const options = { tenantKey: traffic.tenant, organization: null, evidenceRows: 5 };
  return describeIncidents(walk, texts, chosen, options, null).incidents;
}

export const recordDriver: Driver = {
  name: 'records in memory',
  scan: async (trial: Trial) => scanTraffic(trial.traffic),
};
