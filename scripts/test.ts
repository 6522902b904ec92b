/**
 * `npm test`: type check, lint and format check, then the whole suite. The last line is
 * `N passed, N failed`: tests, where a test file that could not be run, an error outside all tests
 * and each of the two checks count as one failed. Arguments go to vitest.
 */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { parseCLI, startVitest } from 'vitest/node';

const root = path.resolve(import.meta.dirname, '..');

function check(name: string, script: string, args: string[]): boolean {
  const { status, error } = spawnSync(process.execPath, [path.join(root, 'node_modules', script), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) throw error;
  process.stdout.write(`${name}: ${status === 0 ? 'passed' : 'FAILED, see above'}\n`);
  return status === 0;
}

async function runTests(args: string[]): Promise<{ passed: number; failed: number }> {
  const { filter, options } = parseCLI(['vitest', 'run', ...args]);
  const vitest = await startVitest('test', filter, { ...options, run: true, watch: false });
  const counts = { passed: 0, failed: vitest.state.getUnhandledErrors().length };
  for (const testModule of vitest.state.getTestModules()) {
    if (testModule.errors().length > 0) counts.failed += 1;
    for (const test of testModule.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed' || state === 'failed') counts[state] += 1;
    }
    for (const suite of testModule.children.allSuites()) if (suite.errors().length > 0) counts.failed += 1;
  }
  await vitest.close();
  // What else makes vitest fail: no test found, for example.
  if (counts.failed === 0 && process.exitCode !== undefined && process.exitCode !== 0) counts.failed = 1;
  return counts;
}

const types = check('Types', 'typescript/bin/tsc', ['-p', '.']);
const style = check('Lint and format', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings']);
const tests = await runTests(process.argv.slice(2));
const failed = tests.failed + (types ? 0 : 1) + (style ? 0 : 1);
if (!types) process.stdout.write('Types: FAILED, see above\n');
if (!style) process.stdout.write('Lint and format: FAILED, see above\n');
process.stdout.write(`${tests.passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
