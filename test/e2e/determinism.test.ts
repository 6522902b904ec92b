/** The demo gives the same bytes in every process, whatever its time zone, language and folder. */

import { readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXAMPLE, EXAMPLE_DOMAINS, ROOT, run } from './command.ts';

const FILES = readdirSync(EXAMPLE).map((name) => path.join(EXAMPLE, name));
const OPTIONS = ['--accepted-domains', EXAMPLE_DOMAINS];

describe('the demo', () => {
  test('gives the same bytes in another process, folder, time zone and language', async () => {
    for (const output of ['table', 'ndjson']) {
      const args = ['scan', EXAMPLE, ...OPTIONS, '--output', output];
      const first = await run(args, { cwd: ROOT });
      expect(first.status).toBe(0);
      expect(first.stdout).toContain('parcel-express.example');
      const surroundings = [
        {},
        { TZ: 'America/New_York' },
        { TZ: 'Pacific/Kiritimati', LANG: 'de_DE.UTF-8' },
        { LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', LANGUAGE: 'tr', COLUMNS: '40', TERM: 'xterm-256color' },
      ];
      const others = await Promise.all(surroundings.map((env) => run(args, { cwd: os.tmpdir(), env })));
      for (const other of others) expect(other).toEqual(first);
    }
  });

  test('gives the same bytes from files by name, in any order, with each reader', async () => {
    const options = [...OPTIONS, '--output', 'ndjson'];
    const first = await run(['scan', EXAMPLE, ...options], { cwd: ROOT });
    expect(first.stdout).not.toContain(path.basename(FILES[0]));
    for (const reader of ['js', 'fast-csv']) {
      const args = ['scan', ...FILES.toReversed(), ...options, '--reader', reader];
      expect(await run(args, { cwd: os.tmpdir() })).toEqual(first);
    }
  });
});
