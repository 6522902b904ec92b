/** A run of tests on a machine without what the engines need. */

import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notProven } from './skipped.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
let emptyFolder: string;
beforeAll(() => {
  emptyFolder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'relaywatch-no-engines-')));
  chmodSync(emptyFolder, 0o755);
});
afterAll(() => rmSync(emptyFolder, { recursive: true, force: true }));

/** Runs one file of tests where nothing is on the PATH and nothing in the cache. */
function runWithoutEngines(more: Record<string, string>): Promise<{ code: number; output: string }> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|RELAYWATCH_|JAVA_HOME)/.test(name));
  const env = { ...Object.fromEntries(inherited), NO_COLOR: '1', PATH: emptyFolder, HOME: emptyFolder, ...more };
  const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--project', 'integration', 'test/integration/engines.test.ts'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

describe.skipIf(process.platform === 'win32')('without engines', () => {
  const cache = () => ({ RELAYWATCH_ENGINES_CACHE: path.join(emptyFolder, 'cache') });

  test('tests are skipped, and one line says what was not proven', async () => {
    const { code, output } = await runWithoutEngines(cache());
    expect(code, output).toBe(0);
    expect(output).toMatch(/Tests {2}\d+ skipped/);
    const lines = output.split('\n').filter((line) => line.includes('NOT PROVEN'));
    expect(lines).toEqual([
      expect.stringMatching(
        /\(kafka.+elasticsearch: .+; redis: .+\): "Elasticsearch of the run", "Kafka of the run", "Redis/,
      ),
    ]);
  }, 60_000);

  test('they fail when engines are required', async () => {
    const { code, output } = await runWithoutEngines({ ...cache(), RELAYWATCH_REQUIRE_ENGINES: '1' });
    expect(code, output).toBe(1);
    expect(output).toMatch(/Error: kafka is required and cannot be started: (mvn is not on the PATH|no JDK)/);
    expect(output).not.toContain('NOT PROVEN');
  }, 60_000);

  test('nor does a cache that cannot be written to stop the run', async () => {
    writeFileSync(path.join(emptyFolder, 'file'), '');
    const { code, output } = await runWithoutEngines({
      RELAYWATCH_ENGINES_CACHE: path.join(emptyFolder, 'file/cache'),
    });
    expect(code, output).toBe(0);
    expect(output).toMatch(/NOT PROVEN.*\(kafka, elasticsearch, redis: .*\bfile\/cache\b.*\)/);
  }, 60_000);
});

test('what was not proven is said once for each suite, and only for what was missing', () => {
  expect(notProven([], { kafka: 'no JDK' })).toBe(null);
  const skipped = [
    { suite: 'worker', missing: ['redis' as const] },
    { suite: 'source', missing: ['redis' as const] },
    { suite: 'source', missing: ['redis' as const] },
  ];
  expect(notProven(skipped, { kafka: 'no JDK', redis: 'no mvn' })).toBe(
    '!!! NOT PROVEN, because engines are missing (redis: no mvn): "source", "worker". ' +
      'With RELAYWATCH_REQUIRE_ENGINES=1 these fail.',
  );
});
