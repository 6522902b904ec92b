/** The README promises commands and options: each must exist. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './repository-files.ts';

const scripts: Record<string, string> = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')).scripts;

/** Names that npm runs: `npm test` and `npm run NAME`, in the order of the text. */
function npmScripts(readme: string): string[] {
  return [...readme.matchAll(/\bnpm (?:run(?:-script)? (?:--?[a-z]+ )*([\w:.-]+)|(test|start)\b)/g)].map(
    ([, name, short]) => name ?? short,
  );
}

/** Calls of the command in code: its sub-command and its long options. */
function calls(readme: string): { command: string; options: string[] }[] {
  const code = [...readme.matchAll(/^```[^\n]*\n(.*?)^```|`([^`\n]+)`/gms)].map(([, block, inline]) => block ?? inline);
  const lines = code.flatMap((part) => part.replaceAll(/\\\n\s*/g, ' ').split('\n'));
  return lines.flatMap((line) => {
    const call = /(?:^|[|;$]\s*|npx\s+|bin\/)relaywatch\s+([a-z][a-z-]*)\b([^|;>]*)/.exec(line);
    if (call === null) return [];
    return [{ command: call[1], options: call[2].match(/(?<=\s)--[a-z][a-z-]*/g) ?? [] }];
  });
}

function readReadme(): string {
  return readFileSync(path.join(ROOT, 'README.md'), 'utf8');
}

function help(...args: string[]): string {
  return execFileSync(process.execPath, [path.join(ROOT, 'bin/relaywatch.js'), ...args, '--help'], {
    encoding: 'utf8',
  });
}

describe('README.md', () => {
  test('names npm scripts that exist, the demo and the tests among them', () => {
    const named = npmScripts(readReadme());
    expect(named).toEqual(expect.arrayContaining(['demo', 'test']));
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test('shows commands and options that exist', () => {
    const shown = calls(readReadme());
    expect(shown.length).toBeGreaterThan(0);
    const overview = help();
    for (const { command, options } of shown) {
      expect(overview).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
      const page = help(command);
      for (const option of options) expect(page, `relaywatch ${command}`).toMatch(new RegExp(`${option}\\b`));
    }
  });
});

test('the check reads scripts, commands and options', () => {
  expect(npmScripts('Run `npm ci`, `npm test`, then npm run --silent test:unit and `npm run demo`.')).toEqual([
    'test',
    'test:unit',
    'demo',
  ]);
  const text = [
    'Use relaywatch at home; `relaywatch scan --output table FILE`:',
    '```sh',
    'cat x.csv | npx relaywatch scan - \\',
    '  --accepted-domains a.com --fail-on=high > out',
    'bin/relaywatch convert x.csv',
    '```',
  ].join('\n');
  expect(calls(text)).toEqual([
    { command: 'scan', options: ['--output'] },
    { command: 'scan', options: ['--accepted-domains', '--fail-on'] },
    { command: 'convert', options: [] },
  ]);
});

test('every npm script runs a file that exists', () => {
  for (const [name, script] of Object.entries(scripts)) {
    const files = script.match(/(?<=\s)(?:bin|scripts|src|node_modules)\/[\w@./-]+/g) ?? [];
    expect(files.length, name).toBeGreaterThan(0);
    for (const file of files) expect(() => readFileSync(path.join(ROOT, file)), `${name}: ${file}`).not.toThrow();
  }
});
