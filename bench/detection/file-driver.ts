/** Scans a trial as a user would: export files in a folder, and `scan` over them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { scan } from '../../src/runtime/scan.ts';
import { type ExportOptions, exportFiles } from '../traffic/export-files.ts';
import { DAY_MS } from '../traffic/message.ts';
import type { Trial } from './scenario.ts';

export async function scanFiles(trial: Trial, options: ExportOptions): Promise<IncidentDocument[]> {
  const { traffic } = trial;
  const folder = mkdtempSync(join(tmpdir(), 'relaywatch-evaluation-'));
  try {
    for (const file of exportFiles(traffic, options)) writeFileSync(join(folder, file.name), file.bytes);
    const endMs = traffic.startMs + traffic.days * DAY_MS;
    const result = await scan({
      paths: [folder],
      tenant: {
        key: traffic.tenant,
        acceptedDomains: traffic.acceptedDomains.map((name) => ({ name, matchSubDomains: false })),
        licenses: null,
        timeZone: 'UTC',
      },
      range: { sinceMs: null, untilMs: null, reportSinceMs: null, nowMs: endMs + DAY_MS },
      format: null,
      dateOrder: null,
      reader: 'js',
      evidenceRows: 5,
      fileHashes: false,
      memoryMiB: 1024,
    });
    for (const file of result.ledger.files) {
      if (file.refused !== null) throw new Error(`${trial.name}: ${file.refused.message}`);
      const dead = Object.entries(file.rows.dead_lettered);
      if (dead.length > 0) throw new Error(`${trial.name}: dead letters ${JSON.stringify(dead)}`);
    }
    return result.incidents;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
