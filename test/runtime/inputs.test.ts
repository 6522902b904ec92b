import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ChosenTexts, ObservationCounts, PairTable } from '../../src/core/identity.ts';
import { REFUSAL_CODES } from '../../src/core/outcome.ts';
import { type InputOptions, prepareInputs, readInputs } from '../../src/runtime/inputs.ts';
import { expectBalanced, FIXTURES, fixturesIn, inputOptions, readAll } from '../formats/golden.ts';

const HEADER = 'Received,SenderAddress,RecipientAddress,Subject,Status,MessageTraceId';
const fixture = (name: string): string => join(FIXTURES, name);

/** A row of a small export; `n` makes it a message of its own. */
function row(n: number, received = `2026-09-05T18:00:${String(n % 60).padStart(2, '0')}Z`): string {
  return `${received},a@b.example,c@d.example,x,Delivered,${(n + 1).toString(16).padStart(8, '0')}`;
}

let root = '';
let folder = '';
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'relaywatch-inputs-test-'));
});
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, ...lines: string[]): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  return path;
}

describe('paths', () => {
  it('are files and folders, with hidden files and links left out, each file once, by name', async () => {
    write('sub/b.csv', HEADER, row(1));
    const a = write('a.csv', HEADER, row(2));
    write('.hidden.csv', HEADER, row(3));
    write('.git/c.csv', HEADER, row(3));
    write('sub/.hidden.csv', HEADER, row(4));
    symlinkSync(a, join(folder, 'link.csv'));
    symlinkSync(folder, join(folder, 'sub/loop'));
    const reading = await readAll(inputOptions([a, folder, join(folder, 'sub'), `${folder}/./a.csv`]));
    expect(reading.ledger.map(({ path }) => path.slice(folder.length))).toEqual(['/a.csv', '/sub/b.csv']);
    expect(reading.pairs).toHaveLength(2);
    expect(reading.warnings).toEqual([]);
  });

  it('can be a link that is named itself', async () => {
    symlinkSync(write('a.csv', HEADER, row(1)), join(folder, 'link.csv'));
    expect((await readAll(inputOptions([join(folder, 'link.csv')]))).pairs).toHaveLength(1);
  });

  it('that do not exist are refused, the others are read', async () => {
    const a = write('a.csv', HEADER, row(1));
    const reading = await readAll(inputOptions([a, join(folder, 'nothing.csv'), join(a, 'below')]));
    expect(reading.pairs).toHaveLength(1);
    expect(reading.ledger.map(({ refused }) => refused?.code)).toEqual([undefined, 'not_found', 'not_found']);
  });

  it('of folders without exports are refused', async () => {
    mkdirSync(join(folder, 'empty/sub'), { recursive: true });
    write('lists/domains.csv', 'DomainName,DomainType', 'contoso.com,Authoritative');
    write('lists/notes.txt', 'hello');
    const reading = await readAll(inputOptions([join(folder, 'empty'), join(folder, 'lists')]));
    expect(reading.ledger.map(({ refused }) => refused?.code)).toEqual(['no_exports', 'no_exports']);
    expect(reading.ledger[1].refused?.message).toContain('domains.csv (it looks like Get-AcceptedDomain');
    expect(reading.ledger[1].refused?.message).toContain('notes.txt (it is no table: its first line is "hello")');
  });

  it('pass over other files in a folder with a warning, and refuse them where they are named', async () => {
    write('a.csv', HEADER, row(1));
    const domains = write('domains.csv', 'DomainName,DomainType', 'contoso.com,Authoritative');
    writeFileSync(join(folder, 'picture.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1, 0, 0, 0, 2]));
    const reading = await readAll(inputOptions([folder]));
    expect(reading.ledger).toHaveLength(1);
    expect(reading.warnings).toHaveLength(1);
    expect(reading.warnings[0]).toMatch(/2 files are no message traces, skipped: domains\.csv \(.*picture\.png \(/);
    const named = await readAll(inputOptions([folder, domains]));
    expect(named.ledger.map(({ refused }) => refused?.code)).toEqual([undefined, 'unknown_format']);
  });

  it('can be standard input, which is copied and deleted again', async () => {
    const temporaryFolder = join(folder, 'temporary');
    mkdirSync(temporaryFolder);
    const standardInput = Readable.from([`${HEADER}\n`, `${row(1)}\n`, row(2)]);
    const inputs = await prepareInputs(inputOptions(['-', '-'], { temporaryFolder, standardInput }));
    expect(readdirSync(temporaryFolder)).toHaveLength(1);
    let pairs = 0;
    await readInputs(inputs, { add: () => void pairs++ });
    expect(pairs).toBe(2);
    expect(inputs.ledgerFiles.map(({ path }) => path)).toEqual(['-']);
    await inputs.dispose();
    expect(readdirSync(temporaryFolder)).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('what is no regular file', () => {
  it('is refused', async () => {
    expect((await readAll(inputOptions(['/dev/null']))).ledger[0].refused?.code).toBe('not_a_file');
  });

  it('is read like standard input where it is a named pipe', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const reading = readAll(inputOptions([pipe], { temporaryFolder: folder }));
    await writeFile(pipe, `${HEADER}\n${row(1)}\n`);
    expect((await reading).pairs).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['pipe']);
  });
});

describe('refused files', () => {
  it('without a header say so', async () => {
    const reading = await readAll(
      inputOptions([write('rows.csv', row(1), row(2)), write('quote.csv', '"a" b,c', row(1))]),
    );
    expect(reading.ledger.map(({ refused }) => refused?.message)).toEqual([
      'its first line cannot be read as the names of columns',
      expect.stringContaining('export without -NoHeader'),
    ]);
  });

  it.each([
    ['archive.csv', 'binary', 'compressed with gzip'],
    ['other.csv', 'unknown_format', 'its columns are name, price'],
    [
      'too-few-columns.csv',
      'unknown_format',
      'looks like Get-MessageTrace / Get-MessageTraceV2 but lacks recipientaddress',
    ],
    [
      'mostly-unreadable.csv',
      'mostly_unreadable',
      '4 of its first 7 rows cannot be used, most often: event time "yesterday"',
    ],
    ['garbage-senders.csv', 'mostly_unreadable', '(bad_sender)'],
  ])('%s', async (name, code, message) => {
    const reading = await readAll(
      inputOptions([fixture(`refused/${name}`), fixture('message-trace/powershell-7.csv')]),
    );
    const line = reading.ledger.find(({ path }) => path.endsWith(name));
    expect(line?.refused).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(line?.rows.read).toBe(0);
    expect(REFUSAL_CODES).toContain(line?.refused?.code);
    // The others go on, and nothing of the refused file is in the dictionaries.
    expect(reading.pairs).toHaveLength(3);
  });

  it('are refused above half of the first thousand rows, whatever follows', async () => {
    const good = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => row(from + i));
    const bad = (n: number): string[] => Array.from({ length: n }, (_, i) => row(i, 'never'));
    const half = write('half.csv', HEADER, ...bad(500), ...good(0, 500), ...bad(3000));
    const more = write('more.csv', HEADER, ...bad(501), ...good(0, 5000));
    const reading = await readAll(inputOptions([half, more]));
    expect(reading.ledger.map(({ refused }) => refused?.code)).toEqual([undefined, 'mostly_unreadable']);
    expect(reading.ledger[0].rows).toMatchObject({ read: 4000, dead_lettered: { bad_time: 3500 } });
  });

  it('may begin with more blanks than anybody looks through', async () => {
    const reading = await readAll(inputOptions([write('blank.csv', ' '.repeat(1 << 20), HEADER, row(1))]));
    expect(reading.ledger[0].refused).toMatchObject({
      code: 'unknown_format',
      message: expect.stringContaining('blank'),
    });
  });

  it('may be of another format than the one asked for', async () => {
    const path = fixture('message-trace/powershell-7.csv');
    const reading = await readAll(inputOptions([path], { format: 'enhanced-summary' }));
    expect(reading.ledger[0].refused?.message).toContain('but lacks origintimestamputc, recipientstatus');
    await expect(prepareInputs(inputOptions([path], { format: 'enhanced' }))).rejects.toMatchObject({
      code: 'unknown_format_name',
      exitCode: 2,
    });
  });
});

describe('files that look cut or empty', () => {
  it('warn, and are not refused', async () => {
    for (const [name, warning] of [
      ['empty.csv', 'it is empty'],
      ['blank.csv', 'it is empty'],
      ['header-only.csv', 'a header and no rows'],
      ['windows-1252.csv', 'read as windows-1252'],
    ]) {
      const reading = await readAll(inputOptions([fixture(`message-trace/${name}`)]));
      expect(reading.ledger[0].refused).toBeNull();
      expect(reading.ledger[0].warnings).toEqual([expect.stringContaining(warning)]);
      expect(reading.warnings).toEqual([`${fixture(`message-trace/${name}`)}: ${reading.ledger[0].warnings[0]}`]);
    }
  });

  it.each(['[]', '[null]', '{"value":[]}', '{"d":{"results":[]}}', '{}', ' \n'])('as JSON: %s', async (text) => {
    const reading = await readAll(inputOptions([write('empty.json', text)]));
    expect(reading.ledger[0]).toMatchObject({
      refused: null,
      records: 0,
      warnings: [expect.stringContaining('empty')],
    });
  });

  it.each(['{broken', '[1, 2]', '[{"a":1}', '{"value":[{"DomainName":"a","DomainType":"b"}]}'])(
    'and JSON that is no trace is refused: %s',
    async (text) => {
      const reading = await readAll(inputOptions([write('other.json', text)]));
      expect(reading.ledger[0].refused?.code).toBe('unknown_format');
    },
  );

  it.each([
    [99_998, 0],
    [99_999, 1],
    [100_000, 1],
    [100_001, 0],
  ])('with %i rows: %i warnings of a cut report', async (rows, warnings) => {
    const lines = ['origin_timestamp_utc,sender_address,recipient_status,message_id'];
    for (let i = 0; i < rows; i++) lines.push(`2026-09-05T18:00:00Z,,c@d.example##,${i}`);
    const inputs = await prepareInputs(inputOptions([write('report.csv', ...lines)]));
    await readInputs(inputs, { add: () => {} });
    expect(inputs.ledgerFiles[0].warnings.filter((text) => text.includes('100,000 lines'))).toHaveLength(warnings);
    await inputs.dispose();
  });
});

describe('the order of day and month', () => {
  const mdy = () => write('mdy.csv', HEADER, row(1, '9/13/2026 6:10:13 PM'), row(2, '9/5/2026 6:10:13 PM'));
  const dmy = () => write('dmy.csv', HEADER, row(3, '13/9/2026 18:10:13'));
  const open = (name = 'open.csv') => write(name, HEADER, row(4, '9/5/2026 6:10:13 PM'), row(5, '9/4/2026 6:10:13 PM'));

  it('that cannot be told stops the run, with both readings and the option that settles it', async () => {
    const error = await prepareInputs(inputOptions([open()])).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'ambiguous_dates', exitCode: 2 });
    expect((error as Error).message).toContain('"9/4/2026 6:10:13 PM" is 4 September 2026 (mdy) or 9 April 2026 (dmy)');
    expect((error as { hint: string }).hint).toContain('--date-order mdy');
  });

  it('is settled by another file of the same format, in any order of files', async () => {
    const paths = [open('a-open.csv'), mdy(), open('z-open.csv')];
    for (const some of [paths, [...paths].reverse()]) {
      const reading = await readAll(inputOptions(some));
      expect(reading.ledger.map(({ date_order }) => date_order)).toEqual(['mdy', 'mdy', 'mdy']);
      expect(reading.pairs[0]).toContain('"at":"2026-09-05T18:10:13.000Z"');
    }
  });

  it('is not settled by files that disagree, or are of another format', async () => {
    await expect(prepareInputs(inputOptions([open(), mdy(), dmy()]))).rejects.toThrow('the other files of this format');
    const summary = fixture('enhanced-summary/documented-names.csv');
    await expect(prepareInputs(inputOptions([open(), summary]))).rejects.toMatchObject({ code: 'ambiguous_dates' });
    const both = await readAll(inputOptions([mdy(), dmy(), summary]));
    const orders = both.ledger.map(({ path, date_order }) => `${basename(path)} ${date_order}`);
    expect(orders.sort()).toEqual(['dmy.csv dmy', 'documented-names.csv dmy', 'mdy.csv mdy']);
  });

  it('is settled by the option, for every file', async () => {
    const reading = await readAll(
      inputOptions([open(), fixture('message-trace/powershell-7.csv')], { dateOrder: 'dmy' }),
    );
    const orders = reading.ledger.map(({ path, date_order }) => `${basename(path)} ${date_order}`);
    expect(orders.sort()).toEqual(['open.csv dmy', 'powershell-7.csv null']);
    expect(reading.pairs.join()).toContain('"at":"2026-04-09T18:10:13.000Z"');
  });

  it('may be proved by any row, also far behind the first thousand', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => row(i, '9/5/2026 6:10:13 PM'));
    const path = write('late.csv', HEADER, ...rows, row(3000, '13/5/2026 6:10:13 PM'));
    expect((await readAll(inputOptions([path]))).ledger[0].date_order).toBe('dmy');
  });

  it('is not needed where day and month are equal, and needed where only later rows differ', async () => {
    const same = Array.from({ length: 1500 }, (_, i) => row(i, '5/5/2026 18:10'));
    expect((await readAll(inputOptions([write('same.csv', HEADER, ...same)]))).ledger[0].date_order).toBeNull();
    const differs = write('differs.csv', HEADER, ...same, row(1, '6/5/2026 18:10'));
    await expect(prepareInputs(inputOptions([differs]))).rejects.toMatchObject({ code: 'ambiguous_dates' });
  });

  it.each([
    ['mdy', '9/3/2026 6:00 PM', '9/5/2026 6:30 PM'],
    ['dmy', '7/5/2026 18:00', '10/5/2026 18:30'],
    ['open', '9/3/2026 6:00 PM', '5/9/2026 6:30 PM'],
  ])('is %s where the bounds of the query are %s and %s', async (expected, start, end) => {
    const rows = ['9/5/2026 6:10:13 PM', '9/5/2026 6:10:13 PM'].map((time, n) => `${row(n, time)},${start},${end}`);
    const inputs = prepareInputs(inputOptions([write('bounds.csv', `${HEADER},StartDate,EndDate`, ...rows)]));
    if (expected === 'open') await expect(inputs).rejects.toMatchObject({ code: 'ambiguous_dates' });
    else expect((await inputs).ledgerFiles[0].date_order).toBe(expected);
  });

  it('refuses a file with dates of both orders', async () => {
    await expect(prepareInputs(inputOptions([fixture('refused/both-orders.csv')]))).rejects.toThrow(
      'holds dates of both orders: "9/15/2026 6:10:13 PM" has the month first, "15/9/2026 6:10:13 PM" the day',
    );
  });

  it('is not asked of files that are refused anyway', async () => {
    const garbage = fixture('refused/garbage-senders.csv');
    expect((await readAll(inputOptions([garbage]))).ledger[0].refused?.code).toBe('mostly_unreadable');
  });
});

describe('the ledger', () => {
  const everything = ['message-trace', 'enhanced-summary', 'refused'].flatMap(fixturesIn);

  it('balances for every fixture, clean or broken, and agrees with the pair table', async () => {
    expect(everything.length).toBeGreaterThan(30);
    for (const name of everything) {
      for (const range of [{}, { sinceMs: Date.UTC(2026, 8, 5, 18, 10, 14) }, { untilMs: Date.UTC(2026, 8, 5) }]) {
        const counts = new ObservationCounts();
        const { inputs, observations } = await intoTable(
          inputOptions([fixture(name)], { ...range, dateOrder: 'mdy' }),
          counts,
        );
        const [line] = inputs.ledgerFiles;
        expectBalanced(line, observations);
        const kept = (counts.accepted[0] ?? 0) + (counts.duplicate[0] ?? 0) + (counts.updated[0] ?? 0);
        expect(kept, name).toBe(observations);
        expect(line.rows.read, name).toBeGreaterThanOrEqual(line.refused === null ? line.records : 0);
      }
    }
  });

  it('counts an export that is read twice, and a status that changes', async () => {
    const first = fixture('message-trace/status-change-1.csv');
    cpSync(first, join(folder, 'copy.csv'));
    const counts = new ObservationCounts();
    const paths = [first, fixture('message-trace/status-change-2.csv'), join(folder, 'copy.csv')];
    const { table } = await intoTable(inputOptions(paths), counts);
    const sum = (list: number[]): number => list.reduce((total, n) => total + n, 0);
    expect(table.size).toBe(3);
    expect([sum(counts.accepted), sum(counts.updated), sum(counts.duplicate)]).toEqual([3, 1, 3]);
  });

  it('has the hash of the bytes where it is asked for, also of files that are refused', async () => {
    const paths = [fixture('message-trace/utf-16le.csv'), fixture('refused/archive.csv'), join(folder, 'none.csv')];
    const reading = await readAll(inputOptions(paths, { fileHashes: true }));
    for (const { path, sha256, bytes } of reading.ledger) {
      const content = path.startsWith(folder) ? null : readFileSync(path);
      expect(sha256).toBe(content === null ? null : createHash('sha256').update(content).digest('hex'));
      expect(bytes).toBe(content?.length ?? 0);
    }
  });
});

async function intoTable(options: InputOptions, counts: ObservationCounts) {
  const inputs = await prepareInputs(options);
  const ids = {
    source: (id: number) => inputs.dictionaries.sources.text(id),
    connector: (id: number) => inputs.dictionaries.connectors.text(id),
  };
  const table = new PairTable(counts, new ChosenTexts(), ids, inputs.textSource);
  let observations = 0;
  await readInputs(inputs, {
    add(observation) {
      observations += 1;
      table.add(observation);
    },
  });
  await inputs.dispose();
  return { inputs, table, observations };
}

describe('reading', () => {
  it('reads texts again of records of any size, to the last byte', async () => {
    const long = Array.from(
      { length: 1000 },
      (_, i) => `recipient-with-a-long-name-${i}@victim.example##Receive, Send`,
    );
    const path = write('long.csv', 'origin_timestamp_utc,sender_address,recipient_status,message_subject,message_id');
    const record = `2026-09-05T18:00:00Z,a@b.example,"${long.join(';')}","${'é'.repeat(50_000)}",m1`;
    writeFileSync(path, `${record}\n${record.replace('m1', 'm2')}`, { flag: 'a' });
    const reading = await readAll(inputOptions([path]));
    expect(reading.pairs).toHaveLength(2000);
    expect(reading.pairs[1999]).toContain('"recipient":"recipient-with-a-long-name-999@victim.example"');
    expect(JSON.parse(reading.pairs[1999]).subject).toHaveLength(50_000);
  });

  it('reports progress, and stops between two chunks when asked to', async () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => row(i));
    const paths = [write('a.csv', HEADER, ...rows), write('b.csv', HEADER, ...rows)];
    const inputs = await prepareInputs(inputOptions(paths));
    const seen: number[] = [];
    await readInputs(inputs, { add: () => {} }, ({ bytesRead, bytesTotal, rows: pairs }) => {
      expect(bytesTotal).toBe(inputs.bytesTotal);
      seen.push(bytesRead + pairs);
    });
    expect(seen.length).toBeGreaterThan(4);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(seen.at(-1)).toBe(inputs.bytesTotal + 120_000);
    await inputs.dispose();

    const again = await prepareInputs(inputOptions(paths));
    const stop = new AbortController();
    let pairs = 0;
    const reading = readInputs(again, { add: () => void pairs++ }, () => stop.abort(), { signal: stop.signal });
    await expect(reading).rejects.toThrow('abort');
    expect(pairs).toBeLessThan(60_000);
    await again.dispose();
  });

  it('says what is wrong where a file vanishes after the first look', async () => {
    const path = write('a.csv', HEADER, row(1));
    const inputs = await prepareInputs(inputOptions([path]));
    rmSync(path);
    await expect(readInputs(inputs, { add: () => {} })).rejects.toMatchObject({ code: 'not_found', exitCode: 1 });
    await inputs.dispose();
  });
});
