import type { SeriesSettings } from '../core/series-settings.ts';
import { type Detector, seriesOptions } from './detector.ts';
import { mailboxRuleStep, mailboxSignInStep, mailboxTrafficStep, messageStep, restrictedStep } from './steps.ts';

const mailboxRecipientsSeries: SeriesSettings = {
  id: 'mailbox_recipients',
  name: 'mailbox_recipients',
  family: 'bulk',
  key: 'mailbox',
  unit: 'pairs',
  rows: 'accepted_mailbox',
  phi0: [12, 5, 2, 1.2],
  priorPerDay: 8,
  floors: [150, 250, 400, 500],
  zCritical: 6,
  youngZCritical: 6,
  recordFloor: true,
  testedFromDay: 0,
  ramp: null,
};

export const mailboxRecipients: Detector = {
  series: 'mailbox_recipients',
  families: ['bulk'],
  title: 'One mailbox writes to too many recipients',
  settings: mailboxRecipientsSeries,
  finds:
    'A mailbox of the tenant reaches hundreds of outside recipients with few messages, as a blind copy to 500 people does.',
  proof:
    'SenderAddress (envelope) with an accepted domain and the number of distinct external RecipientAddress values.',
  gaps: ['A distribution group with outside members is counted by its members, not as one recipient.'],
  harmless: ['An announcement to customers or parents, once.'],
  runbook: [mailboxTrafficStep, messageStep, mailboxSignInStep, mailboxRuleStep, restrictedStep],
  options: seriesOptions(mailboxRecipientsSeries),
};
