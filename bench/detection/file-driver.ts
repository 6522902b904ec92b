/** Runs a trial as a user would: export files in a folder, and `scan` over them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IncidentDocument } from '../../src/core/incident-document.ts';
import { scan } from '../../src/runtime/scan.ts';
import { type ExportFormat, exportFiles } from '../traffic/export-files.ts';
import { DAY_MS } from '../traffic/message.ts';
import type { Driver, Trial } from './scenario.ts';

/** `null`: Get-MessageTraceV2 and the Enhanced summary in turn, by the name of the trial. */
export function fileDriver(format: ExportFormat | null): Driver {
  return {
    name: `files (${format ?? 'message-trace-v2 and enhanced-summary in turn'})`,
    async scan(trial: Trial): Promise<IncidentDocument[]> {
      const { traffic } = trial;
      const folder = mkdtempSync(join(tmpdir(), 'relaywatch-evaluation-'));
      try {
        const inTurn = Number(trial.name.slice(trial.name.lastIndexOf('/') + 1)) % 2;
        const chosen = format ?? (inTurn === 0 ? 'message-trace-v2' : 'enhanced-summary');
        for (const file of exportFiles(traffic, { format: chosen })) writeFileSync(join(folder, file.name), file.bytes);
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
    },
  };
}
