import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import { auditStep, connectorListStep, connectorStep, domainStep, serverStep, sourceStep } from './steps.ts';

const unregisteredSourceSeries: SeriesSettings = {
  id: 'unregistered_source',
  name: 'unregistered_source',
  family: 'unregistered',
  key: 'source',
  unit: 'weight',
  rows: 'unregistered_not_forwarded',
  phi0: [8, 4, 2, 1.2],
  priorPerDay: 1,
  floors: [15, 20, 25, 30],
  zCritical: 6,
  youngZCritical: 6,
  recordFloor: true,
  testedFromDay: 0,
  ramp: null,
};

export const unregisteredSource: Detector = {
  series: 'unregistered_source',
  families: ['unregistered'],
  title: 'One connector or server hands in too much',
  settings: unregisteredSourceSeries,
  finds:
    'One inbound connector, or one IP address (IPv6: one /64), hands in more mail with unregistered senders than it, or any other, ever did.',
  proof: 'FromIP or original_client_ip, connector_id where the export has it (enhanced summary), and SenderAddress.',
  gaps: [
    'Exports without FromIP and connector have no source.',
    'An attack spread over many addresses: the series relayed sees the sum.',
  ],
  harmless: [
    'A hybrid server after an outage, when it sends what had queued up.',
    'Bounces that a hybrid server sends for mail of yours.',
  ],
  runbook: [connectorStep, connectorListStep, sourceStep, serverStep, auditStep, domainStep],
  options: seriesOptions(unregisteredSourceSeries),
};
