import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import { auditStep, connectorListStep, connectorStep, domainStep, sourceStep } from './steps.ts';

const unregisteredDomainSeries: SeriesSettings = {
  id: 'unregistered_domain',
  name: 'unregistered_domain',
  family: 'unregistered',
  key: 'domain',
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

export const unregisteredDomain: Detector = {
  series: 'unregistered_domain',
  families: ['unregistered'],
  title: 'One unregistered domain sends too much',
  settings: unregisteredDomainSeries,
  finds:
    'One unregistered sender domain sends more than it, or any other such domain, ever did: found on large tenants where the total hides it.',
  proof: 'The domain of SenderAddress (envelope) and RecipientAddress.',
  gaps: ['Many domains with a few messages each: the series relayed and unregistered_source see those.'],
  harmless: ['A partner or an application that relays through your server with its own domain, on its first busy day.'],
  runbook: [domainStep, connectorStep, connectorListStep, sourceStep, auditStep],
  options: seriesOptions(unregisteredDomainSeries),
};
