/**
 * `npm test`: type check, lint and format check, then the whole suite. The last line is
 * `N passed, N failed`: tests, a test file that could not be loaded counting as one failed, and so
 * does each of the two checks when it fails. Arguments go to vitest.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

/** What is read of vitest's JSON report. */
interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  success: boolean;
  testResults: { status: string; assertionResults: unknown[] }[];
}

function run(script: string, args: string[]): boolean {
  const { status, error } = spawnSync(process.execPath, [path.join(root, 'node_modules', script), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) throw error;
  return status === 0;
}

function runTests(): { passed: number; failed: number } {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-test-'));
  const file = path.join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const clean = run('vitest/vitest.mjs', ['run', ...reporters, ...process.argv.slice(2)]);
    const report: VitestReport = JSON.parse(readFileSync(file, 'utf8'));
    const notLoaded = report.testResults
      .filter((result) => result.status === 'failed')
      .filter((result) => result.assertionResults.length === 0).length;
    const failed = report.numFailedTests + notLoaded;
    // vitest also fails on an error outside any test, or without a single test.
    return { passed: report.numPassedTests, failed: failed === 0 && !clean ? 1 : failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const checks = [
  { name: 'type check', clean: run('typescript/bin/tsc', ['-p', '.']) },
  { name: 'lint and format', clean: run('@biomejs/biome/bin/biome', ['check', '--error-on-warnings']) },
];
const tests = runTests();
const failedChecks = checks.filter((check) => !check.clean);
for (const check of failedChecks) process.stdout.write(`${check.name}: failed, see above\n`);
const failed = tests.failed + failedChecks.length;
process.stdout.write(`${tests.passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
