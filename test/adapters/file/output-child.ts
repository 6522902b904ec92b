/** Delivers to an output folder until it is killed; says what is safe. */

import { createOutputFolder } from '../../../src/adapters/file/output-folder.ts';
import type { OutputWrite } from '../../../src/core/delivery.ts';

const [folder, from] = process.argv.slice(2);
const store = createOutputFolder(folder);
for (let number = Number(from); ; number++) {
  const at = { '@timestamp': '2026-09-05T18:14:07.201Z' };
  const fill = 'x'.repeat((number * 7919) % 20_000);
  const writes: OutputWrite[] = [
    { kind: 'alert', id: `alert-${number}`, document: { ...at, number, fill } },
    { kind: 'dead_letter', id: `letter-${number}`, document: { ...at, number, fill } },
    { kind: 'ledger', id: 'file', sequence: number, document: { number, fill } },
  ];
  const { written } = await store.deliver(writes);
  process.stdout.write(`${number} ${written}\n`);
}
