/** Watches a folder until it is killed; says what it takes. */

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchFolder } from '../../../src/adapters/file/watch-folder.ts';

const [path, stateFolder, taken] = process.argv.slice(2);
process.stdout.write('watching\n');
await watchFolder({
  path,
  stateFolder,
  tenantOf: () => 'contoso',
  async onFile({ name, sha256 }) {
    await sleep(3);
    // By another process this file is read after a kill: what was written is there, torn or not.
    appendFileSync(taken, `${name} ${sha256}\n`);
    return null;
  },
  onGrowth: async () => null,
  onProblem: () => undefined,
  signal: new AbortController().signal,
  settleMs: 5,
  pollMs: 3,
});
