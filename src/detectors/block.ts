import type { Detector } from './detector.ts';
import {
  busiestSendersStep,
  connectorListStep,
  connectorStep,
  domainStep,
  restrictedStep,
  serverStep,
  sourceStep,
} from './steps.ts';

export const block: Detector = {
  series: 'block',
  families: ['blocked'],
  title: 'Microsoft refuses mail of the tenant',
  settings: null,
  finds:
    'A server of Microsoft answers 550 5.7.705 (the tenant has exceeded its threshold), 5.7.750 (mail from unregistered domains) or 5.7.708 (no traffic from this address): the tenant is blocked.',
  proof:
    'The reply in recipient-status or source-context of a message tracking log or an Extended report, or in the detail of a trace, and the server that gave it.',
  gaps: [
    'Summary traces say Failed and no code: only details and tracking logs tell.',
    'Mail that is refused at the connection leaves no row in a trace of Exchange Online; the log of the server that sent it has one.',
  ],
  harmless: ['None: the same code from a server that is not Microsoft’s is that server’s opinion, and is no block.'],
  runbook: [domainStep, connectorStep, connectorListStep, sourceStep, serverStep, busiestSendersStep, restrictedStep],
  options: [
    {
      name: 'codes',
      unit: 'enhanced status codes of Microsoft’s servers',
      default: '5.7.705, 5.7.708, 5.7.750',
      description: 'The first row with one of them opens an incident, one for each code.',
      example: '550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains.',
    },
  ],
};
