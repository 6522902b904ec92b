import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import { auditStep, connectorListStep, connectorStep, domainStep, messageStep, sourceStep } from './steps.ts';

const unregisteredRecipientsSeries: SeriesSettings = {
  id: 'unregistered_recipients',
  name: 'unregistered_recipients',
  family: 'unregistered',
  key: 'tenant',
  unit: 'pairs',
  rows: 'unregistered',
  phi0: [12, 5, 2, 1.2],
  priorPerDay: 15,
  floors: [100, 150, 250, 400],
  zCritical: 6,
  youngZCritical: 6,
  recordFloor: false,
  testedFromDay: 0,
  ramp: null,
};

/** Messages with many recipients from somebody new. */
const newRecipients: SeriesSettings = {
  ...unregisteredRecipientsSeries,
  id: 'unregistered_recipients:new',
  rows: 'unregistered_new',
  priorPerDay: 1,
  testedFromDay: 7,
};

export const unregisteredRecipients: Detector = {
  series: 'unregistered_recipients',
  families: ['unregistered'],
  title: 'Unregistered messages to many recipients each',
  settings: unregisteredRecipientsSeries,
  finds: 'A relay that puts tens or hundreds of recipients into a message, so that few messages reach many people.',
  proof: 'SenderAddress (envelope) and the number of distinct RecipientAddress values per message.',
  gaps: ['Messages with few recipients are the business of the series relayed.'],
  harmless: ['A forwarded newsletter or mailing list with many outside members.'],
  runbook: [connectorStep, connectorListStep, sourceStep, messageStep, domainStep, auditStep],
  options: seriesOptions(unregisteredRecipientsSeries),
  narrower: [newRecipients],
};
