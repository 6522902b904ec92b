/** Incident documents for the tests of reports, with made-up values. */

import type { IncidentDocument } from '../../src/core/incident-document.ts';
import type { ScanSummary } from '../../src/core/summary.ts';

type Found = IncidentDocument['relaywatch']['incident'];

export const summary: ScanSummary = {
  firstMs: Date.UTC(2026, 7, 10, 3),
  lastMs: Date.UTC(2026, 8, 6, 22, 30),
  days: 28,
  pairs: 9_812,
  external: 3_301,
  unregistered: 3_180,
  acceptedDomains: [
    { name: 'contoso.com', matchSubDomains: false },
    { name: 'contoso.onmicrosoft.com', matchSubDomains: false },
  ],
};

/** A relay through a connector; `found` and `event` replace its values. */
export function relayIncident(
  found: Partial<Found> = {},
  event: Partial<IncidentDocument['event']> = {},
): IncidentDocument {
  const detectedAt = '2026-09-05T18:14:07.201Z';
  return {
    '@timestamp': detectedAt,
    ecs: { version: '9.4.0' },
    message:
      '2 unregistered domains, fabrikam.example first, sent to 3,106 recipients through connector "Inbound from DC1".',
    event: {
      id: 'rw-0000000000000001',
      kind: 'alert',
      category: ['email', 'threat'],
      type: ['indicator'],
      action: 'relay',
      module: 'relaywatch',
      dataset: 'relaywatch.incident',
      start: '2026-09-05T18:02:13.490Z',
      end: '2026-09-05T20:41:52.113Z',
      severity: 73,
      risk_score: 68,
      reason: '12 recipients in 15 min, 0.4 expected (95 % up to 3)',
      ...event,
    },
    rule: { id: 'unregistered', name: 'Unregistered sender domains', version: '1', category: 'unregistered' },
    organization: { name: 'contoso.onmicrosoft.com' },
    related: { ip: ['198.51.100.25'], user: [] },
    relaywatch: {
      incident: {
        family: 'unregistered',
        type: 'relay',
        state: 'open',
        reopened_count: 0,
        detected_at: detectedAt,
        series: ['relayed', 'unregistered_source'],
        observed: 12,
        expected: 0.4,
        expected_p95: 3,
        window: '15m',
        statistic: 'scan',
        score: 5.3,
        messages: 2_871,
        recipients: 3_106,
        recipients_at_detection: 12,
        contributors: {
          domains: [
            { key: 'fabrikam.example', recipients: 2_204, share: 0.71 },
            { key: 'tailspin.example', recipients: 902, share: 0.29 },
          ],
          sources: [{ key: '198.51.100.25', recipients: 3_106, share: 1 }],
          connectors: [{ key: 'Inbound from DC1', recipients: 3_106, share: 1 }],
          mailboxes: [],
          subjects: [{ key: 'You won', recipients: 1_902, share: 0.612 }],
        },
        escalations: [
          { at: '2026-09-05T18:15:31.000Z', observed: 24, severity: 73 },
          { at: '2026-09-05T19:33:10.000Z', observed: 1_536, severity: 73 },
        ],
        evidence: [
          {
            message_trace_id: 'cf7a249a5edd4350130a08da8f69e0f6',
            sender: 'promo@fabrikam.example',
            recipient: 'ann@victim.example',
            subject: 'You won',
            at: '2026-09-05T18:02:13.490Z',
            status: 'failed',
          },
        ],
        ...found,
      },
    },
  };
}
