/** Small exports on which a detector fires, or just does not: scanned as a person would. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { scan } from '../../src/runtime/scan.ts';

export interface Mail {
  sender?: string;
  recipients?: string[];
  source?: string;
  connector?: string;
  /** Minutes after the first row. */
  minute?: number;
}

const START_MS = Date.UTC(2026, 8, 7, 9);
const HEADER =
  'origin_timestamp_utc,sender_address,recipient_status,message_subject,total_bytes,message_id,network_message_id,original_client_ip,directionality,connector_id,delivery_priority';

/** `count` mails, the fields of each by its number; one after the other, ten seconds apart where no minute is said. */
export function mails(count: number, fields: (index: number) => Mail = () => ({})): Mail[] {
  return Array.from({ length: count }, (_, index) => ({ minute: index / 6, ...fields(index) }));
}

/** `count` outside recipients, different ones for every `name`. */
export function outside(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, index) => `${name}.${index}@fabrikam.example`);
}

/** Incidents in an Enhanced summary with these mails, the tenant being contoso.com. */
export async function incidentsOf(
  sent: readonly Mail[],
  licenses: number | null = null,
  tenant = 'default',
): Promise<IncidentDocument[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-case-'));
  try {
    const file = path.join(folder, 'summary.csv');
    writeFileSync(file, `${[HEADER, ...sent.map(record)].join('\r\n')}\r\n`);
    const { incidents, ledger } = await scan({
      paths: [file],
      tenant: {
        key: tenant,
        acceptedDomains: [{ name: 'contoso.com', matchSubDomains: false }],
        licenses,
        timeZone: 'UTC',
      },
      range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: START_MS + 30 * 86_400_000 },
      format: null,
      dateOrder: null,
      reader: 'auto',
      evidenceRows: 1,
      memoryMiB: 256,
    });
    if (ledger.totals.records !== sent.length) throw new Error('the rows of the case were not all read');
    return incidents;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function record(mail: Mail, index: number): string {
  const {
    sender = 'promo@tailspin.example',
    recipients = outside(1, `r${index}`),
    source = '',
    connector = '',
    minute = 0,
  } = mail;
  const time = new Date(START_MS + Math.round(minute * 60_000)).toISOString();
  const status = recipients.map((address) => `${address}##Receive, Send`).join(';');
  const id = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
  return `${time},${sender},"${status}",Hello,1000,<${index}@mail.example>,${id},${source},2,${connector},Normal`;
}

/** The series of all incidents. */
export function seriesOf(incidents: readonly IncidentDocument[]): string[] {
  return [...new Set(incidents.flatMap((incident) => incident.relaywatch.incident.series))].sort();
}
