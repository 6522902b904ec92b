/**
 * Turns the public mail traces into export files that `relaywatch scan` reads:
 *
 *     node bench/traces/convert.ts OUT [--trace radoslaw|enron] [--traces FOLDER] [--seed 1]
 *          [--forwarding 12] [--hide-way-in] [--format enhanced-summary|message-trace-v1|...]
 *
 * The traces are looked for in FOLDER, in RELAYWATCH_TRACES, and beside the project.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { acceptedDomainsCsv } from '../traffic/accepted-domains-export.ts';
import { type ExportFormat, exportFiles } from '../traffic/export-files.ts';
import { countRows } from '../traffic/message.ts';
import { defaultTracesFolder, TRACES, type TraceName } from './trace.ts';
import { traceTraffic } from './trace-traffic.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    trace: { type: 'string' },
    traces: { type: 'string' },
    seed: { type: 'string', default: '1' },
    forwarding: { type: 'string' },
    'hide-way-in': { type: 'boolean', default: false },
    format: { type: 'string', default: 'enhanced-summary' },
  },
});
const out = positionals[0];
if (out === undefined) {
  process.stderr.write('usage: node bench/traces/convert.ts OUT [options]; OUT is the folder to write into\n');
  process.exit(2);
}
for (const trace of TRACES) {
  if (values.trace !== undefined && values.trace !== trace.name) continue;
  const text = readFileSync(join(values.traces ?? defaultTracesFolder(), trace.file), 'utf8');
  const traffic = traceTraffic(text, trace.name as TraceName, {
    seed: values.seed,
    forwardingMailboxes: values.forwarding === undefined ? undefined : Number(values.forwarding),
    wayInVisible: !values['hide-way-in'],
  });
  const folder = join(out, trace.name, 'exports');
  mkdirSync(folder, { recursive: true });
  const files = exportFiles(traffic, { format: values.format as ExportFormat, daysPerFile: 91 });
  for (const file of files) writeFileSync(join(folder, file.name), file.bytes);
  writeFileSync(join(out, trace.name, 'accepted-domains.csv'), acceptedDomainsCsv(traffic.acceptedDomains));
  process.stderr.write(
    `${trace.name}: ${countRows(traffic.messages)} rows over ${traffic.days} days in ${join(out, trace.name)}\n`,
  );
}
