import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import {
  busiestSendersStep,
  limitsStep,
  mailboxSignInStep,
  mailboxTrafficStep,
  serverStep,
  sourceStep,
} from './steps.ts';

const tenantExternalSeries: SeriesSettings = {
  id: 'tenant_external',
  name: 'tenant_external',
  family: 'bulk',
  key: 'tenant',
  unit: 'weight',
  rows: 'external',
  phi0: [0.6, 0.35, 0.25, 0.2],
  priorPerDay: 100,
  floors: [100, 200, 300, 500],
  zCritical: 6,
  youngZCritical: 6,
  recordFloor: false,
  testedFromDay: 4,
  ramp: null,
};

/** Mail of the mailboxes here to strangers: several that were taken over together. */
const toStrangers: SeriesSettings = {
  ...tenantExternalSeries,
  id: 'tenant_external:strangers',
  rows: 'accepted_mailbox_to_stranger',
  phi0: [3, 1.5, 0.8, 0.5],
  priorPerDay: 10,
  floors: [60, 90, 150, 240],
  testedFromDay: 21,
};

export const tenantExternal: Detector = {
  series: 'tenant_external',
  families: ['bulk'],
  title: 'The tenant as a whole sends too much',
  settings: tenantExternalSeries,
  finds:
    'All senders together send far more to the outside than at this hour on other days: several compromised mailboxes, bounces to people who never wrote, or everybody at once.',
  proof: 'The time and the external RecipientAddress of every row; SenderAddress says who makes the difference.',
  gaps: [
    'Nothing is raised in the first seven days of a tenant.',
    'A burst that is small beside what the tenant sends in an hour; the other series look at its senders one by one.',
  ],
  harmless: [
    'An announcement or an event that makes many people write at once.',
    'Growth, or another time zone: named so where nobody new makes much of it.',
    'A server that was cut off and sends what it kept: named a queue flush.',
  ],
  runbook: [busiestSendersStep, mailboxTrafficStep, sourceStep, serverStep, mailboxSignInStep, limitsStep],
  options: seriesOptions(tenantExternalSeries),
  narrower: [toStrangers],
};
