/**
 * Promises of `scan` that show in whole processes alone: inputs of every kind beside each other, dates that
 * only another file settles, pointers into the files, memory, pipes and signals.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLE, EXAMPLE_DOMAINS, ROOT, relayRows, run, start, traceCsv, traceLine } from './command.ts';

const POSIX = process.platform !== 'win32';
let folder: string;
const at = (...names: string[]) => path.join(folder, ...names);
const DOMAINS = ['--accepted-domains', 'contoso.com'];
const scan = (...args: string[]) => run(['scan', ...args], { cwd: folder });

const QUIET_ROWS = Array.from({ length: 200 }, (_, index) => ({ sender: `user${index % 20}@contoso.com` }));

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-e2e-'));
  writeFileSync(at('quiet.csv'), traceCsv(QUIET_ROWS));
  writeFileSync(at('relay.csv'), traceCsv(relayRows(200), 1000));
  writeFileSync(at('binary.csv'), Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 31 + (i >> 3)) % 256)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('inputs', () => {
  test.concurrent('a refused file beside a good one: exit 1, the good one is reported, and 1 beats 3', async () => {
    const alone = await scan('quiet.csv', 'relay.csv', ...DOMAINS, '--fail-on', 'high');
    expect(alone.status).toBe(3);
    expect(alone.stdout).toMatch(/^1 incident: 1 high/);
    const beside = await scan('binary.csv', 'quiet.csv', 'missing.csv', 'relay.csv', ...DOMAINS, '--fail-on', 'high');
    expect(beside.stdout).toBe(alone.stdout);
    expect(beside.stderr).toMatch(/refused binary\.csv: it is no text/);
    expect(beside.stderr).toMatch(/refused missing\.csv: it does not exist/);
    expect(beside.status).toBe(1);
  });

  test.concurrent('a folder is read with what is below it; what is no export in it is named and costs nothing', async () => {
    mkdirSync(at('mixed/below'), { recursive: true });
    writeFileSync(at('mixed/notes.txt'), 'remember the milk\n');
    writeFileSync(at('mixed/quiet.csv'), traceCsv(QUIET_ROWS));
    writeFileSync(at('mixed/below/relay.csv'), traceCsv(relayRows(200), 1000));
    const { status, stdout, stderr } = await scan('mixed', ...DOMAINS);
    expect(stderr).toMatch(/warning: mixed: 1 file .* skipped: notes\.txt/);
    expect(stdout).toBe((await scan('quiet.csv', 'relay.csv', ...DOMAINS)).stdout);
    expect(status).toBe(0);
  });

  test.concurrent('a file that is named twice is read once, one that lies there twice counts once', async () => {
    const named = await scan('quiet.csv', './quiet.csv', at('quiet.csv'), ...DOMAINS);
    expect(named.stderr).toBe('1 file, 200 rows: 200 new\n');
    writeFileSync(at('copy.csv'), traceCsv(QUIET_ROWS));
    const twice = await scan('quiet.csv', 'copy.csv', ...DOMAINS);
    expect(twice.stderr).toBe('2 files, 400 rows: 200 new, 200 known\n');
    expect(twice.stdout).toBe(named.stdout);
  });

  test.concurrent('stdin is an input like another, and named - in the ledger', async () => {
    const input = traceCsv(relayRows(200), 1000);
    const args = ['scan', 'quiet.csv', '-', ...DOMAINS, '--output', 'ndjson'];
    const piped = await run([...args, '--ledger', 'stdin.json'], { cwd: folder, input });
    const files = await scan('quiet.csv', 'relay.csv', ...DOMAINS, '--output', 'ndjson');
    expect(files.stdout).not.toBe('');
    expect([piped.status, piped.stdout, piped.stderr]).toEqual([0, files.stdout, files.stderr]);
    const ledger = JSON.parse(readFileSync(at('stdin.json'), 'utf8'));
    expect(ledger.files.map((file: { path: string }) => file.path)).toEqual(['-', 'quiet.csv']);
  });

  test.concurrent('exports of two tenants are exit 2, with both names and nothing on stdout', async () => {
    writeFileSync(at('contoso.csv'), traceCsv([{ organization: 'contoso.onmicrosoft.com' }]));
    writeFileSync(at('fabrikam.csv'), traceCsv([{ organization: 'fabrikam.onmicrosoft.com' }], 9));
    const { status, stdout, stderr } = await scan('contoso.csv', 'fabrikam.csv', ...DOMAINS);
    expect(stderr).toMatch(/2 tenants: contoso\.onmicrosoft\.com, fabrikam\.onmicrosoft\.com\.\n.*one tenant/);
    expect([status, stdout]).toEqual([2, '']);
  });

  test.concurrent('a stray quote costs its row alone, and no more time than another row', async () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => traceLine({ subject: 'Hello' }, index + 1));
    const header = traceCsv([]);
    const broken = rows.map((line, index) => (index % 100 === 50 ? line.replace('Hello', '"Hello') : line));
    writeFileSync(at('clean-quotes.csv'), `${header}${rows.join('\r\n')}\r\n`);
    writeFileSync(at('stray-quotes.csv'), `${header}${broken.join('\r\n')}\r\n`);
    const started = performance.now();
    expect((await scan('clean-quotes.csv', ...DOMAINS)).stderr).toBe('1 file, 20,000 rows: 20,000 new\n');
    const cleanMs = performance.now() - started;
    const { status, stderr } = await scan('stray-quotes.csv', ...DOMAINS);
    expect(stderr).toMatch(/^1 file, 20,000 rows: 19,800 new, 200 unreadable \(malformed record 200\)/);
    expect(status).toBe(0);
    // Reading again to the end of the file after each of them would take a hundred times as long.
    expect(performance.now() - started - cleanMs).toBeLessThan(10 * cleanMs + 2_000);
  });

  test.concurrent('a cut last line is one dead letter', async () => {
    writeFileSync(at('cut.csv'), traceCsv(QUIET_ROWS) + traceLine({}, 300).slice(0, 60));
    const { status, stderr } = await scan('cut.csv', ...DOMAINS);
    expect(stderr).toMatch(/^1 file, 201 rows: 200 new, 1 unreadable \(cut record 1\)/);
    expect(status).toBe(0);
  });
});

describe('dates whose day and month cannot be told apart', () => {
  const either = traceCsv([{ received: '5/4/2026 6:10:13 PM' }, { received: '6/4/2026 6:10:13 PM' }]);
  const monthFirst = traceCsv([{ received: '5/14/2026 6:10:13 PM' }], 10);
  const dayFirst = traceCsv([{ received: '14/05/2026 18:10:13' }], 20);

  beforeAll(() => {
    writeFileSync(at('either.csv'), either);
    writeFileSync(at('month-first.csv'), monthFirst);
    writeFileSync(at('day-first.csv'), dayFirst);
  });

  test.concurrent('are refused with both readings, whatever else is there', async () => {
    for (const others of [[], ['quiet.csv'], ['month-first.csv', 'day-first.csv']]) {
      const { status, stdout, stderr } = await scan('either.csv', ...others, ...DOMAINS);
      expect(stderr).toMatch(/^relaywatch: either\.csv: .*5\/4\/2026.*4 May 2026.*5 April 2026/);
      expect(stderr).toMatch(/--date-order mdy .*--date-order dmy/);
      expect([status, stdout]).toEqual([2, '']);
    }
  });

  test.concurrent.each([
    [['month-first.csv'], '2026-05-04 18:10 to 2026-06-04'],
    [['day-first.csv'], '2026-04-05 18:10 to 2026-05-14'],
    [['--date-order', 'mdy'], '2026-05-04 18:10 to 2026-06-04'],
    [['--date-order', 'dmy'], '2026-04-05 18:10 to 2026-04-06'],
  ])('are settled by %j', async (args, range) => {
    const { status, stdout } = await scan('either.csv', ...args, ...DOMAINS);
    expect(stdout).toContain(range);
    expect(status).toBe(0);
  });
});

describe('the file of a new user, without any option', () => {
  test.concurrent('names the domains it took as registered, and how to export the list', async () => {
    writeFileSync(at('mine.csv'), traceCsv(QUIET_ROWS) + traceCsv(relayRows(200), 1000));
    const { status, stdout, stderr } = await scan('mine.csv');
    expect(stderr).toMatch(/No --accepted-domains was given\. Taken as registered.*:\n {2}contoso\.com\n/);
    expect(stderr).toContain('Get-AcceptedDomain -ResultSize Unlimited | Export-Csv accepted-domains.csv');
    expect(stderr).toContain('scan again with --accepted-domains accepted-domains.csv');
    expect(stdout).toMatch(/^1 incident: 1 high/);
    expect(stdout).toContain('(inferred from the rows): contoso.com');
    expect(status).toBe(0);
    const listed = await scan('mine.csv', ...DOMAINS, '--output', 'ndjson');
    expect((await scan('mine.csv', '--output', 'ndjson')).stdout).toBe(listed.stdout);
  });

  test.concurrent('says so where no domain can be told', async () => {
    writeFileSync(at('short.csv'), traceCsv([{}]));
    const { status, stdout, stderr } = await scan('short.csv');
    expect(stderr).toMatch(/^No --accepted-domains was given and none could be told from the rows/);
    expect(stdout).toMatch(/^No incidents\./);
    expect(status).toBe(0);
  });
});

describe('--evidence-out', () => {
  /** Each pointer's bytes of its file hold the recipient, and the row of the incident. */
  async function check(args: string[], decode: (bytes: Buffer) => string): Promise<void> {
    const [out, file] = [at(`${path.basename(args[0])}.ndjson`), at(`${path.basename(args[0])}.evidence`)];
    const files = ['--output', 'ndjson', '--out', out, '--evidence-out', file, '--evidence', '40'];
    expect((await scan(...args, ...files)).status).toBe(0);
    const incidents = readFileSync(out, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const pointers = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const rows = incidents.flatMap((one) =>
      one.relaywatch.incident.evidence.map((row: object) => ({ ...row, id: one.event.id })),
    );
    expect(rows).toHaveLength(40);
    expect(pointers.map((one) => [one.incident, one.message_trace_id, one.recipient])).toEqual(
      rows.map((row) => [row.id, row.message_trace_id, row.recipient]),
    );
    for (const { file, offset, length, recipient, message_trace_id: id } of pointers) {
      const record = decode(readFileSync(path.resolve(folder, file)).subarray(offset, offset + length)).toLowerCase();
      expect(record).toContain(recipient);
      expect(record.replaceAll('-', '')).toContain(id);
      // One whole record: quotes, in which line ends may stand, are closed in it.
      expect(record.replace(/"[^"]*"/g, '').trim()).not.toMatch(/["\n]/);
    }
  }

  test.concurrent('points at the rows in UTF-8 with a byte order mark', async () => {
    writeFileSync(
      at('marked.csv'),
      `\ufeff${traceCsv([...relayRows(200), ...QUIET_ROWS].map((row) => ({ ...row, subject: 'Größe' })))}`,
    );
    await check(['marked.csv', ...DOMAINS], (bytes) => bytes.toString('utf8'));
  });

  test.concurrent('points at the rows in UTF-16', async () => {
    writeFileSync(at('wide.csv'), Buffer.from(`\ufeff${traceCsv([...relayRows(200), ...QUIET_ROWS])}`, 'utf16le'));
    await check(['wide.csv', ...DOMAINS], (bytes) => bytes.toString('utf16le'));
  });

  test.concurrent('points at the rows of several files and of an Enhanced summary', async () => {
    await check([EXAMPLE, '--accepted-domains', EXAMPLE_DOMAINS], (bytes) => bytes.toString('utf8'));
  });
});

describe.runIf(POSIX)('memory, pipes and signals', () => {
  /** 1,100 messages to 200 recipients each: more pairs than the smallest memory holds. */
  function manyPairs(): string {
    const lines = [
      'origin_timestamp_utc,sender_address,recipient_status,message_subject,message_id,network_message_id',
    ];
    for (let message = 0; message < 1_100; message++) {
      const time = new Date(Date.UTC(2026, 4, 4, 0, message * 7)).toISOString();
      const recipients = Array.from({ length: 200 }, (_, index) => `r${index}@f${message % 50}.example##Receive, Send`);
      lines.push(`${time},ann${message % 40}@contoso.com,"${recipients.join(';')}",News,<${message}@x>,m${message}`);
    }
    return `${lines.join('\n')}\n`;
  }

  beforeAll(() => {
    writeFileSync(at('many.csv'), manyPairs());
    mkdirSync(at('temporary'));
  });

  test('rows above --memory go to temporary files, give the same bytes, and leave nothing behind', async () => {
    const plenty = await scan('many.csv', ...DOMAINS, '--output', 'ndjson');
    expect(plenty.stderr).toBe('1 file, 220,000 rows: 220,000 new\n');
    expect(plenty.stdout).not.toBe('');
    let spilled = false;
    const env = { TMPDIR: at('temporary') };
    const watcher = setInterval(() => {
      spilled ||= readdirSync(at('temporary')).length > 0;
    }, 5);
    const little = await run(['scan', 'many.csv', ...DOMAINS, '--output', 'ndjson', '--memory', '64'], {
      cwd: folder,
      env,
    });
    clearInterval(watcher);
    expect(little).toEqual(plenty);
    expect(spilled).toBe(true);
    expect(readdirSync(at('temporary'))).toEqual([]);
  });

  test('Ctrl-C in the middle ends with 130 and removes the temporary files', async () => {
    mkdirSync(at('interrupted'));
    const args = ['scan', 'many.csv', ...DOMAINS, '--memory', '64', '--out', 'interrupted.txt'];
    const child = start(args, { cwd: folder, env: { TMPDIR: at('interrupted') } });
    const closed = new Promise((resolve) => child.on('close', (status, signal) => resolve([status, signal])));
    while (child.exitCode === null && readdirSync(at('interrupted')).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    child.kill('SIGINT');
    expect(await closed).toEqual([130, null]);
    expect(readdirSync(at('interrupted'))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.includes('interrupted.txt'))).toEqual([]);
  });

  test('a reader that stops after a line is no failure', () => {
    // All evidence of the example is more than a pipe holds.
    const command = `'${path.join(ROOT, 'bin/relaywatch')}' scan '${EXAMPLE}' --accepted-domains '${EXAMPLE_DOMAINS}'`;
    const script = `{ ${command} --output ndjson --evidence 1000 2> stderr.txt; echo $? > status.txt; } | head -c 100`;
    const shown = execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' });
    expect(shown).toMatch(/^\{"@timestamp"/);
    expect(shown).toHaveLength(100);
    expect(readFileSync(at('status.txt'), 'utf8')).toBe('0\n');
    expect(readFileSync(at('stderr.txt'), 'utf8')).toMatch(/^5 files, .* new\n$/);
  });

  test('links in a folder are not followed', async () => {
    mkdirSync(at('linked'));
    writeFileSync(at('linked/quiet.csv'), traceCsv(QUIET_ROWS));
    symlinkSync('..', at('linked/up'));
    expect((await scan('linked', ...DOMAINS)).stderr).toBe('1 file, 200 rows: 200 new\n');
  });
});
