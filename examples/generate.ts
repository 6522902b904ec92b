/**
 * Makes the example tenant in `examples/contoso`: five weeks of a company of about ninety mailboxes, and
 * one afternoon on which its on-premises mail server is abused. Seeded: it always writes the same
 * bytes. `npm run example` writes them again; a test compares them with what is shipped.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { acceptedDomainsCsv } from '../bench/traffic/accepted-domains-export.ts';
import { addAttack } from '../bench/traffic/attack.ts';
import { enhancedSummaryCsv } from '../bench/traffic/enhanced-summary-export.ts';
import { encodeExport } from '../bench/traffic/export-text.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../bench/traffic/message.ts';
import { Random } from '../bench/traffic/random.ts';
import { generateBackground } from '../bench/traffic/world.ts';

/** Monday. The last day is Friday, 2026-06-05; the server is abused on Thursday, 2026-06-04. */
const START_MS = Date.UTC(2026, 4, 4);
const DAYS = 33;
const MAIL_SERVER = { ip: '192.0.2.25', connector: 'Inbound from DC1' };

export interface ExampleFile {
  /** Path below the folder of the example, with slashes. */
  path: string;
  bytes: Buffer;
}

export function exampleFiles(): ExampleFile[] {
  const background = generateBackground({
    seed: 'contoso',
    startMs: START_MS,
    days: DAYS,
    rowsPerDay: 260,
    acceptedDomains: ['contoso.example', 'contoso-shop.example', 'contoso.onmicrosoft.com'],
    utcOffsetHours: 1,
    forwardingMailboxes: 8,
    hybrid: [{ ...MAIL_SERVER, applicationRowsPerDay: 12, foreignRowsPerDay: 2 }],
    newsletters: [
      {
        sender: 'newsletter',
        recipients: 144,
        firstDay: 1,
        everyDays: 28,
        hour: 10,
        minutes: 4,
        recipientsPerMessage: 48,
        subject: 'Contoso Coffee News: what is new this month',
      },
    ],
  });
  addAttack(background, {
    kind: 'relay',
    id: 'mail-server',
    startMs: START_MS + 31 * DAY_MS + 14 * HOUR_MS + 5 * MINUTE_MS,
    hours: 3.25,
    recipientsPerHour: 260,
    domains: ['parcel-express.example', 'prize-desk.example', 'invoice-portal.example'],
    source: MAIL_SERVER,
    subjects: ['Your parcel is waiting', 'You won a prize', 'Invoice overdue, last notice'],
    failedShare: 0.18,
  });
  const files: ExampleFile[] = [
    {
      path: 'accepted-domains.csv',
      bytes: encodeExport(acceptedDomainsCsv(background.traffic.acceptedDomains), 'utf8-bom'),
    },
  ];
  const random = new Random('contoso/order of the reports');
  for (let week = 0; week * 7 < DAYS; week++) {
    const fromMs = START_MS + week * 7 * DAY_MS;
    const messages = background.traffic.messages.filter(
      (message) => message.timeMs >= fromMs && message.timeMs < fromMs + 7 * DAY_MS,
    );
    files.push({
      path: `exports/message-trace-${new Date(fromMs).toISOString().slice(0, 10)}.csv`,
      // The report of the service is not sorted by time.
      bytes: encodeExport(enhancedSummaryCsv(random.shuffle(messages)), 'utf8-bom'),
    });
  }
  return files;
}

export const EXAMPLE_FOLDER = join(fileURLToPath(new URL('.', import.meta.url)), 'contoso');

if (import.meta.main) {
  const exportsFolder = join(EXAMPLE_FOLDER, 'exports');
  mkdirSync(exportsFolder, { recursive: true });
  for (const name of readdirSync(exportsFolder)) rmSync(join(exportsFolder, name));
  for (const file of exampleFiles()) writeFileSync(join(EXAMPLE_FOLDER, ...file.path.split('/')), file.bytes);
}
