/** What becomes of a worker that is told to stop while it starts. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from './command.ts';

/** Sends the signal when the last module of the command has been loaded: it arrives after what follows at once. */
const HOOK = (signal: string) => `import { registerHooks } from 'node:module';
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/run-command.ts')) return loaded;
    return { ...loaded, source: loaded.source + '\\nprocess.kill(process.pid, "${signal}");' };
  },
});`;

test.skipIf(process.platform === 'win32').each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('%s is not lost while modules are loaded', async (signal, expected) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-signal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, 'inbox'));
  writeFileSync(path.join(folder, 'hook.mjs'), HOOK(signal));
  writeFileSync(
    path.join(folder, 'pipeline.yaml'),
    `name: embedded
role: embedded
tenants: [{ key: contoso, accepted_domains: [contoso.com] }]
inputs: { folder: { path: inbox, tenant: contoso } }
state: { folder: { path: state } }
outputs: { folder: { path: out } }
archive: { path: archive }
`,
  );
  const args = ['--import', path.join(folder, 'hook.mjs'), path.join(ROOT, 'src/main.ts'), 'run', 'pipeline.yaml'];
  const worker = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  onTestFinished(() => void worker.kill('SIGKILL'));
  expect(await once(worker, 'close')).toEqual([expected, null]);
});
