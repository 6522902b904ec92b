/** Appends envelopes to a journal until it is killed; says which ones are safe. */

import { openJournal } from '../../../src/adapters/file/journal.ts';
import { lineEnvelope } from './journal-lines.ts';

const [folder, from] = process.argv.slice(2);
const journal = await openJournal(folder, { segmentBytes: 4_000 });
let line = Number(from);
const senders = Array.from({ length: 3 }, async () => {
  for (;;) {
    const lines = Array.from({ length: 1 + (line % 4) }, () => line++);
    await journal.sink.send(lines.map(lineEnvelope));
    process.stdout.write(`${lines.join('\n')}\n`);
  }
});
await Promise.all(senders);
