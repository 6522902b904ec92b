import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Envelope, FileEndHeader, RowsHeader } from '../../../src/core/envelope.ts';
import type { EnvelopeSink } from '../../../src/core/envelope-log.ts';
import {
  type IngestOptions,
  type IngestProgress,
  ingestFile,
  ingestGrowth,
} from '../../../src/runtime/ingest/ingest-file.ts';
import { FIXTURES, fixturesIn, inputOptions, NOW_MS, readAll } from '../../formats/golden.ts';
import { layoutOf, readEnvelopes, readWhole } from './cutting.ts';

const HEADER = 'Received,SenderAddress,RecipientAddress,Subject,Status,MessageTraceId\n';
const row = (n: number, received = '2026-09-05T18:00:00Z') =>
  `${received},a@b.example,c@d.example,x,Delivered,${(n + 1).toString(16).padStart(8, '0')}\n`;
const rows = (count: number, from = 0) => Array.from({ length: count }, (_, n) => row(from + n)).join('');
const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex');

/** Keeps what is sent; `failAfter` sends it is away. */
function collectingSink(failAfter = Infinity): EnvelopeSink & { sent: Envelope[]; atOnce: number } {
  let sends = 0;
  const sink = {
    sent: [] as Envelope[],
    atOnce: 0,
    async send(envelopes: readonly Envelope[]) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (++sends > failAfter) throw new Error('the log is away');
      sink.atOnce = Math.max(sink.atOnce, envelopes.length);
      sink.sent.push(...envelopes);
    },
    async close() {},
  };
  return sink;
}

function split(sent: readonly Envelope[]): { rows: Envelope[]; ends: FileEndHeader[] } {
  return {
    rows: sent.filter(({ header }) => header.kind === 'rows'),
    ends: sent.flatMap(({ header }) => (header.kind === 'file_end' ? [header] : [])),
  };
}

describe('ingest', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'relaywatch-ingest-test-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function write(name: string, text: string): string {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  }
  const options = (sink: EnvelopeSink, more: Partial<IngestOptions> = {}): IngestOptions => ({
    tenant: 'contoso',
    sink,
    nowMs: NOW_MS,
    ...more,
  });

  it.each(['message-trace', 'enhanced-summary', 'refused'].flatMap(fixturesIn))('%s as scan reads it', async (name) => {
    const path = join(FIXTURES, name);
    const document = readFileSync(path);
    const sink = collectingSink();
    const { ledger, fileId } = await ingestFile(path, options(sink));
    const { rows: sent, ends } = split(sink.sent);
    expect(ends).toHaveLength(1);
    expect(sink.sent.at(-1)?.header).toBe(ends[0]);
    expect(ends[0]).toMatchObject({ tenant: 'contoso', file: { id: fileId }, ledger });
    expect(fileId).toBe(sha256(document));
    const scanned = await readAll(inputOptions([path], { fileHashes: true })).catch((error: Error) => error);
    if (scanned instanceof Error) {
      expect(ledger.refused?.code).toBe('ambiguous_dates');
      expect(ledger.refused?.message).toContain('--date-order');
      expect(ledger.refused?.message).not.toContain(FIXTURES);
      expect(ledger.sha256).toBe(fileId);
    } else {
      const { rows: _rows, first: _first, last: _last, ...expected } = scanned.ledger[0];
      expect(ledger).toEqual({ ...expected, path: name.split('/')[1] });
    }
    const layout = layoutOf(document);
    if (layout === null || ledger.refused !== null) expect(sent).toEqual([]);
    else expect(readEnvelopes(sent)).toEqual(readWhole(document, layout));
  });

  it('sends again in the same envelopes, from where it was', async () => {
    const text = `${HEADER}${rows(70_000)}"lost,x\n${rows(1000, 70_000)}`;
    const path = write('large.csv', text);
    const whole = collectingSink();
    const progress: number[] = [];
    await ingestFile(path, options(whole, { onProgress: ({ offset }) => void progress.push(offset) }));
    expect(whole.atOnce).toBeLessThanOrEqual(64);
    expect(progress.length).toBeGreaterThan(2);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    const cut = collectingSink(1);
    let resumeFrom = 0;
    const onProgress = ({ offset }: IngestProgress) => {
      resumeFrom = offset;
    };
    const first = ingestFile(path, options(cut, { onProgress }));
    await expect(first).rejects.toThrow('the log is away');
    expect(resumeFrom).toBe(progress[0]);
    const again = collectingSink();
    const { ledger } = await ingestFile(path, options(again, { resumeFrom, sha256: sha256(text) }));
    expect(ledger.records).toBe(71_001);
    expect([...cut.sent, ...again.sent]).toEqual(whole.sent);
  });

  it('reports a file that is not what was asked for, or that changes', async () => {
    const path = write('changing.csv', HEADER + rows(10));
    const sink = collectingSink();
    const wrong = ingestFile(path, options(sink, { sha256: 'ab'.repeat(32) }));
    await expect(wrong).rejects.toMatchObject({ code: 'file_changed' });
    const send = sink.send;
    sink.send = async (envelopes) => {
      appendFileSync(path, row(11));
      return send(envelopes);
    };
    await expect(ingestFile(path, options(sink))).rejects.toMatchObject({ code: 'file_changed' });
    expect(split(sink.sent).ends).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const path = write('stopped.csv', HEADER + rows(10));
    const signal = AbortSignal.abort(new Error('stopping'));
    await expect(ingestFile(path, options(collectingSink(), { signal }))).rejects.toThrow('stopping');
  });

  it('takes no folders, missing files or, where links are not to be followed, links', async () => {
    const path = write('named.csv', HEADER + rows(1));
    symlinkSync(path, join(folder, 'link.csv'));
    const sink = collectingSink();
    const ingest = (name: string, more: Partial<IngestOptions> = {}) =>
      ingestFile(join(folder, name), options(sink, more));
    await expect(ingest('')).rejects.toMatchObject({ code: 'not_a_file' });
    await expect(ingest('absent.csv')).rejects.toMatchObject({ code: 'not_found' });
    await expect(ingest('link.csv', { noFollow: true })).rejects.toMatchObject({ code: 'not_a_file' });
    expect(sink.sent).toEqual([]);
    expect((await ingest('link.csv')).ledger.records).toBe(1);
  });

  it('tells the name of a file without its folder and without what could disturb a terminal', async () => {
    const path = write('a\u001b[2J\nb.csv', HEADER + rows(1));
    const { ledger } = await ingestFile(path, options(collectingSink()));
    expect(ledger.path).toBe('a?[2J?b.csv');
    const named = await ingestFile(path, options(collectingSink(), { name: 'contoso/a\tb.csv' }));
    expect(named.ledger.path).toBe('contoso/a?b.csv');
  });

  it('refuses columns that no header can carry', async () => {
    const element = Object.fromEntries(
      HEADER.trim()
        .split(',')
        .map((name, n) => [name, row(1).trim().split(',')[n]]),
    );
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`key${n}`, n]));
    const long = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${'\u0001'.repeat(300)}${n}`, n]));
    for (const more of [many, long]) {
      const sink = collectingSink();
      const path = write('many.json', JSON.stringify([{ ...element, ...more }]));
      expect((await ingestFile(path, options(sink))).ledger.refused?.code).toBe('unknown_format');
      expect(sink.sent).toHaveLength(1);
    }
    expect(
      (await ingestFile(write('few.json', JSON.stringify([element])), options(collectingSink()))).growth,
    ).not.toBeNull();
  });

  it('sends the whole rows that a growing file has more, and the last one again', async () => {
    const path = write('growing.csv', HEADER + rows(3) + row(3).slice(0, 30));
    const sink = collectingSink();
    const first = await ingestFile(path, options(sink));
    const half = readEnvelopes(split(sink.sent).rows);
    expect(half.letters).toMatchObject([{ code: 'cut_record', line: 5 }]);
    appendFileSync(path, row(3).slice(30) + rows(600, 4) + row(604).slice(0, 20));
    const id = 'cd'.repeat(32);
    const later = collectingSink();
    const second = await ingestGrowth(path, id, first.growth, options(later));
    const { rows: sent, ends } = split(later.sent);
    expect(sent.map(({ header }) => (header as RowsHeader).line)).toEqual([5, 505]);
    expect(readEnvelopes(sent).records.map(({ fields }) => Number.parseInt(fields[5], 16))).toEqual(
      Array.from({ length: 601 }, (_, n) => n + 4),
    );
    expect(ends).toMatchObject([{ file: { id, name: 'growing.csv' }, ledger: { records: 604 } }]);
    const same = await ingestGrowth(path, id, second.growth, options(later));
    expect(split(later.sent).ends).toHaveLength(1);
    appendFileSync(path, row(604).slice(20));
    const last = await ingestGrowth(path, id, same.growth, options(later));
    expect(last.ledger.records).toBe(605);
    expect(readEnvelopes(later.sent.slice(-2, -1)).records.map(({ line }) => line)).toEqual([605, 606]);
  });

  it('takes up a file that had nothing but its header, keeping the order of its dates', async () => {
    const path = write('later.csv', HEADER);
    const sink = collectingSink();
    const { growth } = await ingestFile(path, options(sink));
    appendFileSync(path, row(0, '13/09/2026 18:00:00'));
    const second = await ingestGrowth(path, 'cd'.repeat(32), growth, options(sink));
    expect(second.growth).toMatchObject({ dateOrder: 'dmy', records: 0 });
    appendFileSync(path, row(1, '12/09/2026 18:00:00'));
    await ingestGrowth(path, 'cd'.repeat(32), second.growth, options(sink));
    const sent = split(sink.sent).rows;
    expect(sent.map(({ header }) => (header as RowsHeader).layout.dateOrder)).toEqual(['dmy', 'dmy']);
  });
});
