/** Promises of `convert` and `dead-letters` that show in whole processes: output, exit codes, pipes and signals. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { zipOf } from '../adapters/file/archives.ts';
import { ROOT, relayRows, run, start, traceCsv, traceLine } from './command.ts';

const POSIX = process.platform !== 'win32';
const DOMAINS = ['--accepted-domains', 'contoso.com'];
let folder: string;
const at = (...names: string[]) => path.join(folder, ...names);
const command = (...args: string[]) => run(args, { cwd: folder });
const lines = (text: string) => text.trimEnd().split('\n');

const ROWS = Array.from({ length: 50 }, (_, i) => ({ sender: `user${i % 5}@contoso.com`, subject: `Hello ${i}` }));

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'relaywatch-e2e-'));
  writeFileSync(at('good.csv'), traceCsv(ROWS));
  writeFileSync(at('notes.txt'), 'remember the milk\nand the bread\n');
  const broken = [
    traceLine({ received: 'yesterday', subject: 'Größe' }, 101),
    traceLine({}, 102).replace('Hello', '"Hello'),
    traceLine({ recipient: 'nobody' }, 103),
  ];
  writeFileSync(at('broken.csv'), `${traceCsv(ROWS)}${broken.join('\r\n')}\r\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('convert', () => {
  test.concurrent('prints a document for each pair, in order of time, and says on stderr what became of the rows', async () => {
    const { status, stdout, stderr } = await command('convert', 'good.csv', ...DOMAINS);
    expect(stderr).toBe('1 file, 50 rows: 50 new\n');
    const documents = lines(stdout).map((line) => JSON.parse(line));
    expect(documents).toHaveLength(50);
    expect(documents[0].email).toMatchObject({
      direction: 'outbound',
      subject: 'Hello 0',
      message_id: '<1@contoso.com>',
    });
    const times = documents.map((one) => one['@timestamp']);
    expect(times).toEqual(times.toSorted());
    expect(status).toBe(0);
  });

  test.concurrent('CSV has a header, also without rows, and --raw is for it alone', async () => {
    writeFileSync(at('header.csv'), traceCsv([]));
    const empty = await command('convert', 'header.csv', '--output', 'csv', '--raw', ...DOMAINS);
    expect(lines(empty.stdout)).toHaveLength(1);
    expect(empty.stdout).toMatch(/^"event_time",.*"pair"\r\n$/);
    expect(empty.status).toBe(0);
    writeFileSync(at('formula.csv'), traceCsv([{ subject: '=1+1' }]));
    const safe = await command('convert', 'formula.csv', '--output', 'csv', ...DOMAINS);
    expect(safe.stdout).toMatch(/^\ufeff"event_time"/);
    expect(safe.stdout).toContain(`,"'=1+1",`);
    expect((await command('convert', 'formula.csv', '--output', 'csv', '--raw', ...DOMAINS)).stdout).toContain(
      ',"=1+1",',
    );
    const wrong = await command('convert', 'good.csv', '--raw');
    expect([wrong.status, wrong.stdout, wrong.stderr]).toEqual([
      2,
      '',
      expect.stringMatching(/--raw is for CSV alone/),
    ]);
  });

  test.concurrent('--out writes whole files, --quiet leaves stderr to errors', async () => {
    const shown = await command('convert', 'good.csv', ...DOMAINS);
    const written = await command('convert', 'good.csv', ...DOMAINS, '--out', 'rows.ndjson', '--quiet');
    expect(written).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(at('rows.ndjson'), 'utf8')).toBe(shown.stdout);
    const input = await command('convert', 'good.csv', '--out', 'good.csv');
    expect([input.status, input.stderr]).toEqual([2, expect.stringMatching(/one of the inputs/)]);
    const refused = await command('convert', 'notes.txt', '--quiet');
    expect([refused.status, refused.stdout, refused.stderr]).toEqual([
      1,
      '',
      expect.stringMatching(/^relaywatch: refused/),
    ]);
  });

  test.concurrent('a refused file beside a good one is exit 1, and the rows of the good one are there', async () => {
    const beside = await command('convert', 'notes.txt', 'good.csv', 'missing.csv', ...DOMAINS);
    expect(beside.stdout).toBe((await command('convert', 'good.csv', ...DOMAINS)).stdout);
    expect(beside.stderr).toMatch(/refused missing\.csv.*\n.*refused notes\.txt/);
    expect(beside.status).toBe(1);
  });

  test.concurrent('without domains that can be told rows have no direction', async () => {
    writeFileSync(at('one.csv'), traceCsv([{}]));
    const { status, stdout, stderr } = await command('convert', 'one.csv');
    expect(stderr).toMatch(/warning: no accepted domain is known/);
    expect(JSON.parse(stdout).email.direction).toBeUndefined();
    expect(status).toBe(0);
  });

  test.concurrent('wrong usage is exit 2 and prints nothing to stdout', async () => {
    for (const args of [
      [],
      ['good.csv', '--output', 'xml'],
      ['good.csv', '--explain', '--out', 'x'],
      ['good.csv', '--evidence', '1'],
    ]) {
      const { status, stdout } = await command('convert', ...args);
      expect([status, stdout]).toEqual([2, '']);
    }
    writeFileSync(at('either.csv'), traceCsv([{ received: '5/4/2026 6:10:13 PM' }]));
    const dates = await command('convert', 'either.csv', ...DOMAINS);
    expect([dates.status, dates.stdout, dates.stderr]).toEqual([2, '', expect.stringMatching(/--date-order mdy/)]);
  });
});

describe('containers', () => {
  test.concurrent('files, stdin, gzip, zstd and ZIP give the same rows', async () => {
    const csv = Buffer.from(traceCsv(ROWS));
    writeFileSync(at('good.csv.gz'), Buffer.concat([gzipSync(csv.subarray(0, 900)), gzipSync(csv.subarray(900))]));
    writeFileSync(
      at('good.csv.zst'),
      Buffer.concat([zstdCompressSync(csv.subarray(0, 99)), zstdCompressSync(csv.subarray(99))]),
    );
    writeFileSync(
      at('good.zip'),
      zipOf([
        { name: '../good.csv', bytes: csv },
        { name: 'read.me', bytes: Buffer.from('no') },
      ]),
    );
    const { stdout } = await command('convert', 'good.csv', ...DOMAINS);
    for (const file of ['good.csv.gz', 'good.csv.zst', 'good.zip']) {
      const packed = await command('convert', file, ...DOMAINS);
      expect([packed.status, packed.stdout]).toEqual([0, stdout]);
      const input = readFileSync(at(file));
      const piped = await run(['convert', '-', ...DOMAINS], { cwd: folder, input });
      expect([piped.status, piped.stdout]).toEqual([0, stdout]);
    }
    const zip = await command('convert', 'good.zip', ...DOMAINS, '--ledger', 'zip.json');
    expect(zip.stderr).toMatch(/^warning: good\.zip: 1 file is no message trace, skipped: read\.me/);
    expect(JSON.parse(readFileSync(at('zip.json'), 'utf8')).files[0].path).toBe('good.zip/good.csv');
    expect(readdirSync(folder)).not.toContain('..');
  });

  test.concurrent('a bomb is refused with its limit, in bounded time, and the others go on', async () => {
    const zeros = gzipSync(Buffer.alloc(40_000_000, 0x30), { level: 9 });
    writeFileSync(at('bomb.csv.gz'), Buffer.concat([zeros, zeros, zeros, zeros]));
    const started = performance.now();
    const { status, stdout, stderr } = await command('scan', 'bomb.csv.gz', 'good.csv', ...DOMAINS);
    expect(stderr).toMatch(/refused bomb\.csv\.gz: it expands to more than 200 times its own size/);
    expect(stderr).toMatch(/50 new/);
    expect(stdout).not.toBe('');
    expect(status).toBe(1);
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});

describe('convert --explain', () => {
  test.concurrent('says what was chosen from what evidence, and which columns are used', async () => {
    const text = traceCsv([{ received: '14/05/2026 18:10:13' }, { received: 'never' }]).replaceAll(',', ';');
    writeFileSync(at('explain.csv'), `\ufeff#TYPE Deserialized\r\nsep=;\r\n${text}`);
    const { status, stdout, stderr } = await command('convert', '--explain', 'explain.csv', 'notes.txt');
    expect(stdout).toMatch(/^explain\.csv\n {2}format {6}Get-MessageTrace .*\(message-trace\), which fits best/);
    expect(stdout).toMatch(/shape {7}CSV with semicolons between the cells, as its line sep= says/);
    expect(stdout).toMatch(/encoding {4}UTF-8, by its byte order mark/);
    expect(stdout).toMatch(/dates {7}day first \(dmy\): a date has a part above 12, such as "14\/05\/2026 18:10:13"/);
    expect(stdout).toMatch(/rows {8}1 of 2 rows can be used/);
    expect(stdout).toMatch(/columns {5}event time {11}Received\n/);
    expect(stdout).toMatch(/unreadable {2}1 row, bad_time, in line 5: event time "never" cannot be read/);
    expect(stdout).toMatch(/\n\nnotes\.txt\n {2}refused {5}it is no table.*\(unknown_format\)/);
    expect(stderr).toBe('');
    expect(status).toBe(1);
  });

  test.concurrent('warns of a report that was cut, and of a list of domains without a default', async () => {
    const rows = Array.from({ length: 99_999 }, (_, i) => traceLine({ received: '2026-05-04T10:00:00' }, i + 1));
    writeFileSync(at('cut-report.csv'), `${traceCsv([])}${rows.join('\n')}\n`);
    writeFileSync(at('domains.csv'), 'DomainName,DomainType,Default\ncontoso.com,Authoritative,False\n');
    const { status, stdout, stderr } = await command(
      'convert',
      '--explain',
      'cut-report.csv',
      '--accepted-domains',
      'domains.csv',
    );
    expect(stdout).toMatch(/warning {5}it has exactly 100,000 lines/);
    expect(stderr).toMatch(/^warning: domains\.csv: no domain is marked Default=True/);
    expect(status).toBe(0);
  });
});

describe('dead letters', () => {
  test.concurrent('are kept with bytes and place, listed, shown, mended and replayed', async () => {
    mkdirSync(at('letters'));
    const scanned = await command('scan', 'broken.csv', ...DOMAINS, '--dead-letters', 'letters/dead.ndjson');
    expect(scanned.stderr).toMatch(/53 rows: 50 new, 3 unreadable/);
    expect(scanned.stderr).not.toContain('--dead-letters FILE');
    expect(scanned.status).toBe(0);
    const stored = readFileSync(at('broken.csv'));
    const letters = lines(readFileSync(at('letters/dead.ndjson'), 'utf8')).map((line) => JSON.parse(line));
    expect(letters.map(({ code, line }) => [code, line])).toEqual([
      ['bad_time', 52],
      ['malformed_record', 53],
      ['bad_recipient', 54],
    ]);
    for (const { offset, length, original, file, sha256 } of letters) {
      expect(stored.subarray(offset, offset + length).toString()).toBe(original);
      expect([file, sha256]).toEqual(['broken.csv', expect.stringMatching(/^[0-9a-f]{64}$/)]);
    }
    // The same from convert, byte by byte.
    await command('convert', 'broken.csv', ...DOMAINS, '--dead-letters', 'letters/same.ndjson', '--quiet');
    expect(readFileSync(at('letters/same.ndjson'), 'utf8')).toBe(readFileSync(at('letters/dead.ndjson'), 'utf8'));

    const list = await command('dead-letters', 'list', 'letters/dead.ndjson');
    expect(list.stdout).toMatch(/^3 dead letters from 1 file\n\nrows {2}code/);
    expect(list.stdout).toMatch(/\n1 {3}bad_time {10}broken\.csv:52 {2}event time "yesterday" cannot be read\n/);
    const shown = await command('dead-letters', 'show', 'letters/dead.ndjson', '1');
    expect(shown.stdout).toMatch(/what to do {2}Export with ISO dates/);
    expect(shown.stdout).toContain('Größe');
    const unknown = await command('dead-letters', 'show', 'letters/dead.ndjson', '9');
    expect([unknown.status, unknown.stderr]).toEqual([1, 'relaywatch: there is no dead letter 9\n']);

    const mended = letters.map((letter) => ({
      ...letter,
      original: letter.original.replace('yesterday', '2026-05-05T10:00:00').replace('"Hello', 'Hello'),
    }));
    writeFileSync(at('letters/mended.ndjson'), mended.map((letter) => `${JSON.stringify(letter)}\n`).join(''));
    const replayed = await command('dead-letters', 'replay', 'letters/mended.ndjson', '--out', 'letters/new');
    expect([replayed.status, replayed.stdout]).toEqual([
      0,
      `${path.join('letters/new', 'replay-1-broken.csv')}  3 rows\n`,
    ]);
    const again = await command('scan', 'broken.csv', 'letters/new', ...DOMAINS);
    expect(again.stderr).toMatch(/2 files, 56 rows: 52 new, 4 unreadable/);
  });

  test.concurrent('of other encodings come back byte by byte', async () => {
    const rows = [...ROWS, { received: 'never', subject: 'Größe' }];
    writeFileSync(at('wide.csv'), Buffer.from(`\ufeff${traceCsv(rows)}`, 'utf16le'));
    await command('convert', 'wide.csv', '--quiet', '--dead-letters', 'wide.ndjson', '--out', 'wide.out');
    const [letter] = lines(readFileSync(at('wide.ndjson'), 'utf8')).map((line) => JSON.parse(line));
    expect(Buffer.from(letter.original_base64, 'base64').toString('utf16le')).toMatch(/^,never,.*Größe/);
    expect((await command('dead-letters', 'show', 'wide.ndjson', '1')).stdout).toContain('Größe');
    await command('dead-letters', 'replay', 'wide.ndjson', '--out', 'wide-new');
    const { stderr } = await command('convert', 'wide-new/replay-1-wide.csv', '--explain');
    expect(stderr).toBe('');
    expect(readFileSync(at('wide-new/replay-1-wide.csv')).toString('utf16le')).toBe(
      `\ufeff${traceCsv([])}${traceLine(rows[50], 51)}\n`,
    );
  });

  test.concurrent('wrong usage is exit 2; a file that holds none is told', async () => {
    for (const args of [[], ['list'], ['lst', 'x'], ['show', 'broken.csv'], ['replay', 'broken.csv']]) {
      expect((await command('dead-letters', ...args)).status).toBe(2);
    }
    const other = await command('dead-letters', 'list', 'broken.csv');
    expect([other.status, other.stderr]).toEqual([2, expect.stringMatching(/broken\.csv: line 1 is no dead letter/)]);
    const missing = await command('dead-letters', 'list', 'missing.ndjson');
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringMatching(/missing\.ndjson: it does not exist/)]);
    writeFileSync(at('none.ndjson'), '');
    expect(await command('dead-letters', 'list', 'none.ndjson')).toEqual({
      status: 0,
      stdout: 'no dead letters\n',
      stderr: '',
    });
  });
});

describe.runIf(POSIX)('pipes and signals', () => {
  beforeAll(() => {
    writeFileSync(at('many.csv'), traceCsv(relayRows(60_000)));
    mkdirSync(at('temporary'));
  });

  test('a reader that stops after some bytes is no failure', () => {
    const tool = `'${path.join(ROOT, 'bin/relaywatch')}'`;
    for (const args of ['--output ndjson', '--output csv', '--explain']) {
      const script = `{ ${tool} convert many.csv good.csv --accepted-domains contoso.com ${args} 2> err.txt; echo $? > status.txt; } | head -c 50`;
      expect(execFileSync('sh', ['-c', script], { cwd: folder })).toHaveLength(50);
      expect(readFileSync(at('status.txt'), 'utf8')).toBe('0\n');
    }
  });

  test('Ctrl-C ends with 130 and leaves neither half a file nor temporary ones', async () => {
    const args = [
      'convert',
      'many.csv',
      ...DOMAINS,
      '--out',
      'stopped.ndjson',
      '--dead-letters',
      'stopped-letters.ndjson',
    ];
    const child = start(args, { cwd: folder, env: { TMPDIR: at('temporary') } });
    const closed = new Promise((resolve) => child.on('close', (status, signal) => resolve([status, signal])));
    while (child.exitCode === null && !readdirSync(folder).some((name) => name.includes('stopped.ndjson'))) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    child.kill('SIGINT');
    expect(await closed).toEqual([130, null]);
    expect(readdirSync(at('temporary'))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.includes('stopped'))).toEqual([]);
  });
});
