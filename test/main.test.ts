/** The command line as a person or a script sees it: processes, streams, files and exit codes. */

import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { COMMAND_NAMES, COMMANDS, commandUsage } from '../src/config/commands.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = path.join(ROOT, 'bin/relaywatch.js');
const EXPORTS = path.join(ROOT, 'examples/contoso/exports');
const DOMAINS = path.join(ROOT, 'examples/contoso/accepted-domains.csv');

let folder: string;
const at = (name: string) => path.join(folder, name);

interface Outcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

function run(args: string[], options: { input?: string | Uint8Array; env?: NodeJS.ProcessEnv } = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '', ...options.env },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}

const HEADER =
  '"Organization","MessageId","Received","SenderAddress","RecipientAddress","Subject","Status","ToIP","FromIP","Size","MessageTraceId"';

function row(
  id: number,
  fields: { received?: string; sender?: string; recipient?: string; subject?: string } = {},
): string {
  const { received = `2026-09-05T10:00:${String(id % 60).padStart(2, '0')}.0000000Z`, subject = 'Hello' } = fields;
  const { sender = 'ann@contoso.com', recipient = `r${id}@fabrikam.example` } = fields;
  const traceId = `00000000-0000-0000-0000-${String(id).padStart(12, '0')}`;
  return `"contoso.onmicrosoft.com","<${id}@contoso.com>","${received}","${sender}","${recipient}","${subject}","Delivered","192.0.2.1","","1","${traceId}"`;
}

function exportOf(rows: string[]): string {
  return `${[HEADER, ...rows].join('\r\n')}\r\n`;
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-main-'));
  writeFileSync(at('good.csv'), exportOf([1, 2, 3, 4, 5].map((id) => row(id))));
  writeFileSync(at('empty.csv'), '');
  writeFileSync(at('header.csv'), `${HEADER}\r\n`);
  writeFileSync(at('binary.csv'), Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 31 + (i >> 3)) % 256)));
  writeFileSync(at('connectors.json'), '[{"Name":"x","ConnectorType":"OnPremises","SenderIPAddresses":[]}]');
  mkdirSync(at('no-files'));
  mkdirSync(at('no-exports'));
  writeFileSync(at('no-exports/notes.txt'), 'nothing here\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('without work', () => {
  test.concurrent.each([[[]], [['--help']], [['-h']], [['help']], [['help', 'help']]])(
    '%j is the help',
    async (args) => {
      const { status, stdout, stderr } = await run(args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: relaywatch COMMAND/);
      expect(stdout).toMatch(/^ {2}scan PATH/m);
    },
  );

  test.concurrent.each([[['scan', '--help']], [['help', 'scan']], [['scan', 'x.csv', '-h', '--bogus']]])(
    '%j is the help of scan',
    async (args) => {
      const { status, stdout } = await run(args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^Usage: relaywatch scan PATH/);
    },
  );

  test.concurrent.each(COMMAND_NAMES)('%s has a line in the help, and a help of its own', async (name) => {
    const { summary, options } = COMMANDS[name];
    expect((await run(['--help'])).stdout).toContain(`\n  ${commandUsage(name)} `);
    const { status, stdout } = await run([name, '--help']);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: relaywatch ${name}\\b`));
    for (const { flags } of options) expect(stdout).toContain(`\n  ${flags} `);
    expect(summary).toMatch(/^[a-z].*[^.]$/);
  });

  test.concurrent('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    expect(await run(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('the help loads no package and nothing of a command', () => {
    const script = `
      const { registerHooks } = require('node:module');
      const loaded = [];
      registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
      process.argv.push('--help');
      import(${JSON.stringify(path.join(ROOT, 'src/main.ts'))}).then(() => console.error(loaded.join('\\n')));`;
    const { stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '-e', script], {
      encoding: 'utf8',
    });
    const files = stderr
      .trim()
      .split('\n')
      .map((url) => url.slice(url.indexOf('/src/') + 1));
    expect(files.sort()).toEqual([
      'src/config/commands.ts',
      'src/config/help.ts',
      'src/config/options.ts',
      'src/main.ts',
    ]);
  });
});

describe('wrong usage is exit 2, with what to do, and nothing on stdout', () => {
  test.concurrent.each<[string[], string, string]>([
    [['scan'], 'scan needs a file or a folder to read', 'relaywatch scan trace.csv'],
    [['skan', 'x.csv'], 'there is no command skan', 'Did you mean scan?'],
    [['good.csv'], 'there is no command good.csv', 'To read the file: relaywatch scan good.csv'],
    [['skan', '--help'], 'there is no command skan', 'Did you mean scan?'],
    [['scan', 'good.csv', '--lisences', '3'], 'there is no option --lisences', 'Did you mean --licenses?'],
    [['scan', 'good.csv', '-z'], 'there is no option -z', 'relaywatch scan --help'],
    [['--tenant', 'x'], 'there is no option --tenant', 'It belongs to scan: relaywatch scan PATH... --tenant'],
    [['--schema', 'x'], 'there is no option --schema', 'It belongs to lint: relaywatch lint [PIPELINE...] --schema'],
    [['--vesrion'], 'there is no option --vesrion', 'Did you mean --version?'],
    [['lnt'], 'there is no command lnt', 'Did you mean lint?'],
    [['lint', '--shema', 'x'], 'there is no option --shema', 'Did you mean --schema? relaywatch lint --help'],
    [['lint', '--licenses', 'x'], 'there is no option --licenses', 'relaywatch lint --help lists the options'],
    [['lint', '--output'], '--output has no value', 'For example: --output json'],
    [['lint', '--output', 'json', '--output', 'text'], '--output is given twice', 'once'],
    [['lint', '--output', 'jsn'], '--output cannot be "jsn"', 'Did you mean json?'],
    [['lint'], 'there is no pipeline in the folder pipelines here', 'pipelines/embedded.yaml'],
    [['scan', 'good.csv', '--since'], '--since has no value', 'For example: --since 2026-09-01'],
    [['scan', 'good.csv', '--since', '2026-01-01', '--since', '2026-02-01'], '--since is given twice', 'once'],
    [
      ['scan', 'good.csv', '--format', 'mesage-trace'],
      '--format cannot be "mesage-trace"',
      'Did you mean message-trace?',
    ],
    [['scan', 'good.csv', '--output', 'json'], '--output cannot be "json"', 'ndjson'],
    [['scan', 'good.csv', '--accepted-domains', 'missing.csv'], 'missing.csv does not exist', 'Get-AcceptedDomain'],
    [
      ['scan', 'good.csv', '--accepted-domains', 'connectors.json'],
      'looks like an export of Get-InboundConnector',
      'Get-AcceptedDomain',
    ],
    [['scan', 'good.csv', '--accepted-domains', 'good.csv'], 'looks like a message trace', 'Get-AcceptedDomain'],
    [['scan', 'good.csv', '--accepted-domains', 'no-files'], 'no-files is a folder', 'Name the file in it'],
    [['scan', 'good.csv', '--out', 'missing/out.txt'], 'there is no folder', 'Create the folder'],
    [['scan', 'good.csv', '--ledger', './good.csv'], 'one of the inputs', 'another file'],
  ])('%j', async (args, what, todo) => {
    const { status, stdout, stderr } = await run(args);
    expect(stderr).toMatch(/^relaywatch: /);
    expect(stderr.split('\n')[0]).toContain(what);
    expect(stderr).toContain(todo);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});

describe('inputs', () => {
  const scan = (...args: string[]) => run(['scan', ...args, '--accepted-domains', 'contoso.com']);

  test.concurrent.each<[string, number, string]>([
    ['missing.csv', 1, 'missing.csv'],
    ['no-files', 1, 'no-files'],
    ['no-exports', 1, 'no-exports'],
    ['binary.csv', 1, 'binary.csv'],
    ['connectors.json', 1, 'connectors.json'],
  ])('%s is refused', async (name, expected, named) => {
    const { status, stdout, stderr } = await scan(name);
    expect(stderr).toMatch(/^relaywatch: /);
    expect(stderr.split('\n')[0]).toContain(named);
    expect({ status, stdout }).toEqual({ status: expected, stdout: '' });
  });

  test.concurrent.each(['empty.csv', 'header.csv'])('%s is an export without rows', async (name) => {
    const { status, stdout, stderr } = await scan(name);
    expect(stderr).toMatch(new RegExp(`^warning: ${name}`));
    expect(stderr.match(/warning/g)?.length).toBe(1);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'No rows, so nothing to judge.\n' });
  });

  test.concurrent('the others are read where one is refused', async () => {
    const { status, stdout, stderr } = await scan('good.csv', 'binary.csv', 'missing.csv', '--fail-on', 'low');
    expect(stderr).toContain('relaywatch: refused binary.csv');
    expect(stderr).toContain('relaywatch: refused missing.csv');
    expect(stdout).toMatch(/^No incidents\.\n/);
    expect(status).toBe(1);
  });

  test.concurrent('dates that can be read in two ways are exit 2, and settled by an option', async () => {
    writeFileSync(at('dates.csv'), exportOf([row(1, { received: '9/5/2026 6:10:13 PM' })]));
    const { status, stdout, stderr } = await scan('good.csv', 'dates.csv');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/5 September 2026.*9 May 2026/);
    expect(stderr).toContain('--date-order');
    const settled = await scan('good.csv', 'dates.csv', '--date-order', 'dmy');
    expect(settled.status).toBe(0);
    expect(settled.stdout).toContain('2026-05-09 18:10 to 2026-09-05');
  });

  test.concurrent('a cut last line and a stray quote cost one row each', async () => {
    writeFileSync(at('cut.csv'), exportOf([row(1), row(2)]) + row(3).slice(0, 60));
    const stray = [row(1), row(2).replace('"Hello"', '"Hel"lo"'), row(3), row(4)];
    writeFileSync(at('stray.csv'), exportOf(stray));
    const cut = await scan('cut.csv');
    expect(cut.stderr).toContain('1 file, 3 rows: 2 new, 1 unreadable');
    expect(cut.status).toBe(0);
    const quote = await scan('stray.csv', '--ledger', 'stray.json');
    const { rows } = JSON.parse(readFileSync(at('stray.json'), 'utf8')).totals;
    expect(rows.accepted).toBeGreaterThanOrEqual(3);
    expect(quote.status).toBe(0);
  });

  test.concurrent('stdin is an input', async () => {
    const args = ['scan', '-', '--accepted-domains', 'contoso.com'];
    const { status, stdout } = await run(args, { input: readFileSync(at('good.csv')) });
    expect(status).toBe(0);
    expect(stdout).toBe((await scan('good.csv')).stdout);
  });

  test.concurrent('without options the inferred domains are named, and how to export the real list', async () => {
    const { status, stdout, stderr } = await run(['scan', 'good.csv']);
    expect(stderr).toContain('No --accepted-domains was given');
    expect(stderr).toContain('contoso.com');
    expect(stderr).toContain('Get-AcceptedDomain -ResultSize Unlimited | Export-Csv');
    expect(stdout).toContain('Registered domains (inferred from the rows): contoso.com');
    expect(status).toBe(0);
  });

  test.concurrent('incidents that rest on no known domain are exit 2', async () => {
    // No FromIP, no ToIP: nothing tells who belongs to the tenant.
    const rows = Array.from({ length: 20 }, (_, id) =>
      row(id).replace('"contoso.onmicrosoft.com"', '""').replace('192.0.2.1', ''),
    );
    writeFileSync(at('unknown.csv'), exportOf(rows));
    const { status, stdout, stderr } = await run(['scan', 'unknown.csv']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('cannot be told from these rows');
    expect(stderr).toContain('Get-AcceptedDomain -ResultSize Unlimited');
    expect((await scan('unknown.csv')).stdout).toMatch(/^No incidents/);
  });

  test.concurrent('--quiet leaves errors alone', async () => {
    expect((await run(['scan', 'good.csv', '--quiet'])).stderr).toBe('');
    expect((await scan('good.csv', 'missing.csv', '--quiet')).stderr).toMatch(/^relaywatch: refused missing\.csv.*\n$/);
  });
});

describe('results', () => {
  const scan = (...args: string[]) => run(['scan', EXPORTS, '--accepted-domains', DOMAINS, ...args]);

  test('a table for people by default, the relay of the example in it', async () => {
    const { status, stdout, stderr } = await scan();
    expect(status).toBe(0);
    expect(stdout).toMatch(/^1 incident: 1 (high|critical)\n/);
    expect(stdout).toContain("Set-InboundConnector -Identity 'Inbound from DC1' -Enabled $false");
    // No terminal: no colour, no progress line.
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stdout + stderr).not.toContain('\r');
  });

  test('files for the incidents, the ledger and the evidence; nothing on stdout then', async () => {
    writeFileSync(at('incidents.ndjson'), 'old');
    const files = ['--out', 'incidents.ndjson', '--ledger', 'ledger.json', '--evidence-out', 'evidence.ndjson'];
    const { status, stdout } = await scan('--output', 'ndjson', ...files, '--evidence', '3', '--fail-on', 'high');
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    const incidents = readFileSync(at('incidents.ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(incidents.map((incident) => incident.relaywatch.incident.family)).toEqual(['unregistered']);
    const ledger = JSON.parse(readFileSync(at('ledger.json'), 'utf8'));
    for (const { rows } of [...ledger.files, ledger.totals]) {
      const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
      const { accepted, duplicate, updated, folded, dropped, dead_lettered: letters } = rows;
      expect(accepted + duplicate + updated + folded + sum(dropped) + sum(letters)).toBe(rows.read);
    }
    const evidence = readFileSync(at('evidence.ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(evidence.length).toBe(3);
    for (const { incident, file, sha256, offset, length, recipient } of evidence) {
      expect(incident).toBe(incidents[0].event.id);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(ledger.files.find((one: { path: string }) => one.path === file).sha256).toBe(sha256);
      const record = readFileSync(file)
        .subarray(offset, offset + length)
        .toString('utf8');
      expect(record.toLowerCase()).toContain(recipient);
      expect(record).not.toContain('\n');
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('--fail-on counts what is at least as grave', async () => {
    expect((await scan('--fail-on', 'critical')).status).toBe(0);
    expect((await scan('--fail-on', 'low')).status).toBe(3);
  });

  test('a reader that goes away is no failure', async () => {
    const { status, stderr } = await new Promise<{ status: number | null; stderr: string }>((resolve) => {
      const child = spawn(process.execPath, [COMMAND, 'scan', EXPORTS, '--accepted-domains', DOMAINS, '--quiet']);
      let stderr = '';
      child.stderr.on('data', (data: Buffer) => {
        stderr += data.toString();
      });
      child.stdout.destroy();
      child.on('close', (status) => resolve({ status, stderr }));
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('a file that cannot be written is exit 1, and says so', async () => {
    // The name of the temporary file beside it is too long for the file system.
    const name = 'x'.repeat(250);
    const { status, stdout, stderr } = await scan('--ledger', name);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^relaywatch: x+ cannot be written \(E[A-Z]+\)\.\nName another file\./);
  });
});

describe.skipIf(process.platform === 'win32')('Ctrl-C', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends with its exit code, and leaves no temporary file', async (signal, expected) => {
    const temporary = at(`temporary-${signal}`);
    mkdirSync(temporary);
    const child = spawn(
      process.execPath,
      [COMMAND, 'scan', '-', '--accepted-domains', 'contoso.com', '--out', at('interrupted')],
      {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      child.on('close', (status, signal) => resolve([status, signal]));
    });
    child.stdin.on('error', () => {});
    child.stdin.write(exportOf([row(1)]));
    // The command waits for the rest of its input; its handlers are there once it took the first part.
    await vi.waitFor(() => expect(readdirSync(temporary)).not.toEqual([]), { timeout: 30_000 });
    child.kill(signal);
    expect(await closed).toEqual([expected, null]);
    expect(readdirSync(temporary)).toEqual([]);
    expect(existsSync(at('interrupted'))).toBe(false);
  });
});

const hasScript = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
describe.skipIf(!hasScript)('on a terminal (skipped: needs script of util-linux)', () => {
  function onTerminal(args: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn('script', ['-qec', `${process.execPath} ${COMMAND} ${args}`, '/dev/null'], {
        cwd: folder,
        env: { ...process.env, NO_COLOR: '', TERM: 'xterm', ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (data: string) => {
        text += data;
      });
      child.on('error', reject);
      child.on('close', () => resolve(text));
    });
  }
  const args = 'scan good.csv --accepted-domains contoso.com';
  const COLOUR = '\u001b[1mNo incidents.\u001b[0m';

  test.concurrent('there is colour and a progress line', async () => {
    expect(await onTerminal(args)).toContain(COLOUR);
    const text = await onTerminal(`scan ${EXPORTS} --accepted-domains ${DOMAINS}`);
    expect(text).toContain('\u001b[1;');
    expect(text).toContain('\r\u001b[Kreading: ');
  });

  test.concurrent('there is none where it is not wanted', async () => {
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const text = await onTerminal(args, env);
      expect(text).toContain('No incidents.');
      expect(text).not.toContain(COLOUR);
    }
    expect(await onTerminal(`scan ${EXPORTS} --accepted-domains ${DOMAINS} --quiet`)).not.toContain('reading: ');
  });
});

test('a defect shows its stack only where it is asked for', async () => {
  const args = ['scan', 'good.csv', '--accepted-domains', 'missing.csv'];
  expect((await run(args)).stderr).not.toContain('RelaywatchError');
  expect((await run(args, { env: { RELAYWATCH_DEBUG: '1' } })).stderr).toMatch(/RelaywatchError: .*\n\s+at /);
});

test('the exports of the example are there', () => {
  expect(statSync(EXPORTS).isDirectory()).toBe(true);
});
