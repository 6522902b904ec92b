import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import { mailboxRuleStep, mailboxSignInStep, mailboxSmtpStep, mailboxTrafficStep, restrictedStep } from './steps.ts';

const mailboxSeries: SeriesSettings = {
  id: 'mailbox',
  name: 'mailbox',
  family: 'bulk',
  key: 'mailbox',
  unit: 'weight',
  rows: 'accepted_mailbox',
  phi0: [12, 5, 2, 1.2],
  priorPerDay: 5,
  floors: [50, 60, 100, 150],
  zCritical: 6,
  youngZCritical: 6,
  recordFloor: true,
  testedFromDay: 0,
  ramp: null,
};

/** Spam goes to strangers: half as many rows are enough. */
const toStrangers: SeriesSettings = {
  ...mailboxSeries,
  id: 'mailbox:strangers',
  rows: 'accepted_mailbox_to_stranger',
  priorPerDay: 1,
  floors: [25, 30, 50, 75],
  testedFromDay: 21,
};

export const mailbox: Detector = {
  series: 'mailbox',
  families: ['bulk'],
  title: 'One mailbox sends too many messages',
  settings: mailboxSeries,
  finds:
    'A mailbox of the tenant sends more messages to the outside than it, or any other mailbox here, ever did: a compromised account, or mass mail.',
  proof:
    'SenderAddress (envelope) with an accepted domain, external RecipientAddress; Status and Subject tell spam from mass mail.',
  gaps: ['An attack on a mailbox that sends newsletters anyway, below its own record.'],
  harmless: ['A newsletter, payslips or a mail merge, the first time it is seen.'],
  runbook: [mailboxTrafficStep, mailboxSignInStep, mailboxRuleStep, mailboxSmtpStep, restrictedStep],
  options: seriesOptions(mailboxSeries),
  narrower: [toStrangers],
};
