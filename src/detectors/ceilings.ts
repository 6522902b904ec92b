import type { MailboxCeiling } from '../core/series-settings.ts';
import type { Detector } from './detector.ts';
import { busiestSendersStep, limitsStep, mailboxSignInStep, mailboxTrafficStep, restrictedStep } from './steps.ts';

/** Our own ceilings on a mailbox: no person writes to so many, so they hold from the first minute. */
export const MAILBOX_CEILINGS: readonly MailboxCeiling[] = [
  { window: '1h', recipients: 400 },
  { window: '24h', recipients: 800 },
];
/** A mailbox that has its history may go this much above its own record before a ceiling of ours counts. */
export const CEILING_RECORD_FACTOR = 1.2;

/** Recipients a mailbox may reach in 24 hours ("Exchange Online limits", learn.microsoft.com, 2026). */
export const MAILBOX_RECIPIENT_LIMIT = 10_000;
export const MAILBOX_LIMIT_MARKS: readonly number[] = [0.8, 0.95];
/** External recipients of all senders with an onmicrosoft.com address together in 24 hours (NDR 5.7.236, 2026). */
export const ONMICROSOFT_RECIPIENT_LIMIT = 100;
export const ONMICROSOFT_LIMIT_MARKS: readonly number[] = [1];
/** The tenant's external recipient rate limit depends on its licenses: `config` works it out. */
export const TENANT_LIMIT_MARKS: readonly number[] = [0.5, 0.8, 0.95];

export const ceilings: Detector = {
  series: 'ceiling',
  families: ['bulk', 'limit'],
  title: 'A fixed limit nears or is passed',
  settings: null,
  finds:
    'A mailbox writes to more people than any person does, or the tenant or a mailbox nears a sending limit of Microsoft.',
  proof: 'Distinct message and external RecipientAddress, without bounces and system senders.',
  gaps: [
    'Without --licenses the limit of the tenant is unknown and not watched.',
    'Microsoft does not count journal reports and automatic answers; a trace does not name them.',
  ],
  harmless: ['A mass mailing that somebody announced; it uses up the limit all the same.'],
  runbook: [limitsStep, busiestSendersStep, mailboxTrafficStep, mailboxSignInStep, restrictedStep],
  options: [
    {
      name: 'mailbox',
      unit: 'recipients in 1 h / 24 h',
      default: MAILBOX_CEILINGS.map((ceiling) => ceiling.recipients).join(' / '),
      description: 'A mailbox that reaches so many is a hit from the first minute on, whatever its history.',
      example: '400: a mailbox that writes to its 400th outside recipient within an hour.',
    },
    {
      name: 'recordFactor',
      unit: 'times the own record',
      default: String(CEILING_RECORD_FACTOR),
      description: 'From a week of history on, the ceiling of a mailbox is at least this much above its record.',
      example: '1.2: a newsletter of 1,000 a day is quiet up to 1,200.',
    },
    {
      name: 'limits',
      unit: 'share of a Microsoft limit in 24 h',
      default: 'tenant 50, 80, 95 %; mailbox 80, 95 % of 10,000; onmicrosoft.com senders 100 % of 100',
      description:
        'Shares at which an incident of the family limit opens or rises. The limit of the tenant needs --licenses.',
      example: '--licenses 100: 22,059 recipients; low at 11,030, medium at 17,648, high at 20,957.',
    },
  ],
};
