/** A run of tests where Docker Compose is there and fails: engines come from Maven, and one line says so. */

import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cacheFolder } from '../engines/cache.ts';
import { describeWithOwnEngines } from '../engines/suites.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

describeWithOwnEngines('A run with a broken Docker Compose', { redis: true }, () => {
  test('has its engines from Maven', async () => {
    const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'relaywatch-engines-')));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755);
    // A cache of its own, so that no other run clears up after it.
    for (const name of readdirSync(cacheFolder())) {
      if (name !== 'sets') symlinkSync(path.join(cacheFolder(), name), path.join(folder, name));
    }
    const docker = `#!/bin/sh\necho "$*" >>${folder}/told\ncase "$*" in *" up "*) echo "no such image" >&2; exit 1 ;; esac`;
    writeFileSync(path.join(folder, 'docker'), docker, { mode: 0o755 });

    const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|RELAYWATCH_)/.test(name));
    const env = {
      ...Object.fromEntries(inherited),
      NO_COLOR: '1',
      PATH: `${folder}${path.delimiter}${process.env.PATH}`,
      RELAYWATCH_ENGINES_CACHE: folder,
      RELAYWATCH_REQUIRE_ENGINES: '1',
    };
    const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
    const args = [
      vitest,
      'run',
      '--project',
      'integration',
      'test/integration/engines.test.ts',
      '-t',
      'Redis of the run',
    ];
    const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
      execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
      });
    });
    expect(code, output).toBe(0);
    expect(output).toMatch(/Tests {2}3 passed/);
    expect(output.split('\n').filter((line) => line.includes('Docker'))).toEqual([
      'Docker Compose does not bring kafka, elasticsearch, redis up (no such image): Maven has to',
    ]);
    const commands = readFileSync(path.join(folder, 'told'), 'utf8').trimEnd().split('\n');
    expect(commands.map((line) => /^compose version$|^info$| up | down -v$/.exec(line)?.[0].trim())).toEqual([
      'compose version',
      'info',
      'up',
      'down -v',
      // Should something have stayed all the same.
      'down -v',
    ]);
  });
});
