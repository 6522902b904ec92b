import { describe, expect, it } from 'vitest';
import { detectors } from '../../src/config/registry.ts';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { incidentTable, type TableOptions } from '../../src/reports/table.ts';
import { displayWidth } from '../../src/reports/text.ts';
import { relayIncident, summary } from './incidents.ts';

function table(incidents: IncidentDocument[], options: Partial<TableOptions> = {}): string {
  return incidentTable({
    incidents,
    summary,
    inferred: false,
    tenant: null,
    guides: detectors,
    colour: false,
    ...options,
  });
}

const low = relayIncident({ type: 'forwarding' }, { severity: 21, risk_score: 10, id: 'rw-0000000000000002' });
const critical = relayIncident({}, { severity: 99, risk_score: 90, id: 'rw-0000000000000003' });

describe('the head', () => {
  it('says how many, of which severity, in what', () => {
    const lines = table([low, relayIncident(), critical]).split('\n');
    expect(lines[0]).toBe('3 incidents: 1 critical, 1 high, 1 low');
    expect(lines[1]).toBe('contoso.onmicrosoft.com, 2026-08-10 03:00 to 2026-09-06 22:30 UTC (28 days)');
    expect(lines[2]).toContain('9,812');
    expect(lines.slice(3, 6).join('\n')).toContain('Registered domains: contoso.com, contoso.onmicrosoft.com');
  });

  it('lists the incidents, the gravest first', () => {
    const lines = table([low, critical, relayIncident()]).split('\n');
    const rows = lines.filter((line) => /^ {2}[0-9] {2}[A-Z]/.test(line));
    expect(rows.map((row) => row.split(/ +/).slice(2, 4))).toEqual([
      ['CRITICAL', 'relay'],
      ['HIGH', 'relay'],
      ['LOW', 'forwarding'],
    ]);
    expect(rows[0]).toMatch(/Inbound from DC1$/);
  });

  it('does not list a single one', () => {
    expect(table([critical])).not.toMatch(/^ {2}1 {2}CRITICAL/m);
    expect(table([critical])).toMatch(/^1 incident: 1 critical$/m);
  });

  it('says so where nothing was found, or nothing was there', () => {
    const none = table([]);
    expect(none).toMatch(/^No incidents\.\n/);
    expect(none).toContain('9,812');
    expect(none).toContain('stood out');
    const empty = table([], { summary: { ...summary, firstMs: null, lastMs: null, days: 0, pairs: 0 } });
    expect(empty).toBe('No rows, so nothing to judge.\n');
  });

  it('names the tenant, gaps, sub-domains, and what was inferred', () => {
    const acceptedDomains = Array.from({ length: 9 }, (_, i) => ({ name: `d${i}.example`, matchSubDomains: i === 0 }));
    const text = table([], {
      tenant: 'Contoso\u001b',
      inferred: true,
      summary: { ...summary, days: 20, acceptedDomains },
    });
    expect(text).toContain('Contoso␛, 2026');
    expect(text).toContain('(20 days with mail)');
    expect(text).toContain('Registered domains (inferred from the rows): *.d0.example, d1.example');
    expect(text).toContain('4 more');
  });
});

describe('the block of an incident', () => {
  it('has the sentence, the numbers, who, since when', () => {
    expect(table([relayIncident()])).toMatchInlineSnapshot(`
      "1 incident: 1 high
      contoso.onmicrosoft.com, 2026-08-10 03:00 to 2026-09-06 22:30 UTC (28 days)
      9,812 recipients: 3,301 outside, 3,180 of these from unregistered sender domains (forwards included)
      Registered domains: contoso.com, contoso.onmicrosoft.com

      ────────────────────────────────────────────────────────────────────────────────────────────────────
       HIGH  relay: mail from domains that are not registered here; Microsoft bans it with 550 5.7.750
        2 unregistered domains, fabrikam.example first, sent to 3,106 recipients through connector
        "Inbound from DC1".

        when        2026-09-05 18:02 to 20:41 UTC (2 h 40 min); recognised after 12 min, at 18:14; open
        why         12 recipients in 15 minutes; 0.4 expected, 95 % of the time up to 3;
                    score 5.3 (5 is a hit)
        size        3,106 recipients in 2,871 messages; 12 when recognised; grew 2 times, until 19:33
        connector   Inbound from DC1                                 3,106    100 %
        server      198.51.100.25                                    3,106    100 %
        domain      fabrikam.example                                 2,204     71 %
                    tailspin.example                                   902     29 %
        subject     You won                                          1,902     61 %
        rows        18:02:13  promo@fabrikam.example → ann@victim.example  failed
        incident    rw-0000000000000001, risk 68 of 100

        Check next (in Exchange Online PowerShell where nothing else is said)
        1. Is this inbound connector yours, and was it created or changed lately?
             Get-InboundConnector -Identity 'Inbound from DC1' | Format-List Name,Enabled,ConnectorType,SenderIPAddresses,TlsSenderCertificateName,WhenCreatedUTC,WhenChangedUTC
           To stop it:
             Set-InboundConnector -Identity 'Inbound from DC1' -Enabled $false
           Switching it off stops all mail of the servers behind it. If nobody here made it, an
           administrator account is compromised too.
        2. Is the server at this address yours, and which senders does it hand in?
             Get-MessageTraceV2 -FromIP '198.51.100.25' -StartDate '2026-09-05T18:02:00Z' -EndDate '2026-09-05T20:42:00Z' -ResultSize 5000 | Group-Object SenderAddress -NoElement | Sort-Object Count -Descending
           If the server is yours, take it off the network path to Exchange Online until you know what
           sends through it.
        3. On the Exchange server: which client handed these messages in? (Exchange Management Shell)
             Get-TransportService | Get-MessageTrackingLog -Start '2026-09-05T18:02:00Z' -End '2026-09-05T20:42:00Z' -EventId RECEIVE -ResultSize Unlimited | Group-Object ClientIp,Sender -NoElement | Sort-Object Count -Descending
           One client with many senders is a compromised machine or an open relay; cut it off and patch
           the server.
        4. Is this sender domain yours, and is it registered in the tenant?
             Get-AcceptedDomain -ResultSize Unlimited | Where-Object DomainName -eq 'fabrikam.example'
           If it is yours, register it (Microsoft 365 admin center, Settings, Domains). If not, the mail
           is not yours to send.
        Harmless if it is
        - A domain of yours that is not registered in the tenant yet (register it: Microsoft counts it
          too).
        - A hybrid server that relays for an application with its own domain.
        - New forwarding rules, for their first days.
      "
    `);
  });

  it('tells what weighs at most five a message', () => {
    expect(table([relayIncident({ recipients_at_detection: 300 })])).toContain('at most 5 counted per message');
  });

  it('shows a ceiling, a block and a ramp without numbers they do not have', () => {
    const none = { observed: null, expected: null, expected_p95: null, window: null, score: null };
    const blocked = relayIncident({
      ...none,
      family: 'blocked',
      type: 'blocked',
      series: ['block'],
      statistic: 'ceiling',
    });
    expect(table([blocked])).toContain('why         12 recipients in 15 min, 0.4 expected (95 % up to 3)');
    const ceiling = { observed: 412, expected: null, expected_p95: null, window: '1h', score: 1.03 } as const;
    const text = table([
      relayIncident({ ...ceiling, family: 'bulk', type: 'bulk_sender', series: ['ceiling'], statistic: 'ceiling' }),
    ]);
    expect(text).toContain('412 recipients in 1 hour; 103 % of the ceiling');
    const cusum = relayIncident({ statistic: 'cusum', window: null, score: 17 });
    expect(table([cusum])).toContain('why         12 recipients in 15 min, 0.4 expected');
  });

  it('shows a limit and when it will be full', () => {
    const limit = {
      name: 'tenant_external_recipients_24h',
      used: 4_127,
      budget: 22_059,
      share: 0.187,
      forecast_at: null,
    };
    expect(table([relayIncident({ limit })])).toContain(
      '4,127 of 22,059 outside recipients of the tenant in 24 hours (19 %)\n',
    );
    const forecast = table([relayIncident({ limit: { ...limit, forecast_at: '2026-09-06T02:10:00.000Z' } })]);
    expect(forecast.replace(/\s+/g, ' ')).toContain('at this rate full at 2026-09-06 02:10 UTC');
  });

  it('lets no text of an attacker steer the terminal or the clipboard', () => {
    const evil = "x\u001b[2J\u202e'; calc #\n";
    const incident = relayIncident({
      contributors: {
        domains: [{ key: evil, recipients: 1, share: 1 }],
        sources: [{ key: evil, recipients: 1, share: 1 }],
        connectors: [{ key: evil, recipients: 1, share: 1 }],
        mailboxes: [{ key: "o'x'; calc; '@contoso.com", recipients: 1, share: 1 }],
        subjects: [{ key: evil.repeat(500), recipients: 1, share: 1 }],
      },
      evidence: [
        {
          message_trace_id: evil,
          sender: evil,
          recipient: evil,
          subject: evil,
          status: evil,
          at: '2026-09-05T18:02:13.490Z',
        },
      ],
      series: ['mailbox', 'relayed'],
      family: 'bulk',
    });
    incident.message = evil;
    const text = table([incident, relayIncident()], { tenant: 'contoso' });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(text).toContain("'o''x''; calc; ''@contoso.com'");
    for (const line of text.split('\n')) {
      // Only commands, which must stay in one line, are long.
      if (!/^ {7}\S/.test(line)) expect(displayWidth(line)).toBeLessThanOrEqual(100);
      if (/^ {7}\S/.test(line)) expect(line).not.toContain('calc #');
    }
  });

  it('asks which connector it is only where the trace does not say', () => {
    const { contributors } = relayIncident().relaywatch.incident;
    const without = table([relayIncident({ contributors: { ...contributors, connectors: [] } })]);
    expect(without).toContain('Which inbound connector lets this server in?');
    expect(without).not.toContain('Get-InboundConnector -Identity');
    expect(table([relayIncident()])).not.toContain('Which inbound connector lets this server in?');
  });
});

it('the order of the incidents handed in does not matter', () => {
  expect(table([critical, low, relayIncident()])).toBe(table([relayIncident(), critical, low]));
});

it('colours are escape sequences around the same text', () => {
  const painted = table([low, critical], { colour: true });
  expect(painted).toContain('\u001b[1;97;41m');
  expect(painted.replace(/\u001b\[[0-9;]*m/g, '')).toBe(table([low, critical]));
});
