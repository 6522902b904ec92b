import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { parseLabels, readLabels } from '../../src/config/labels.ts';
import { RelaywatchError } from '../../src/core/outcome.ts';

const NOW = Date.UTC(2026, 8, 6);
const GOOD = { incident: 'rw-0123456789abcdef', verdict: 'benign', by: 'ann', at: '2026-09-05T12:00:00Z' };
const LABEL = {
  incident: 'rw-0123456789abcdef',
  verdict: 'benign',
  by: 'ann',
  atMs: Date.UTC(2026, 8, 5, 12),
  note: '',
};

const parse = (...lines: (object | string)[]) =>
  parseLabels(
    'labels.ndjson',
    Buffer.from(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')),
    NOW,
  );
const read = (bytes: Uint8Array | null, path = 'labels.ndjson') => readLabels(path, async () => bytes, NOW);
const places = (file: ReturnType<typeof parse>) =>
  file.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);

describe('labels', () => {
  it('are read from lines, empty ones left out, in any encoding of PowerShell', () => {
    const other = { ...GOOD, incident: 'rw-ffffffffffffffff', verdict: 'abuse', note: 'stolen account' };
    expect(parse(GOOD, '', '  \r', other)).toEqual({
      entries: [LABEL, { ...LABEL, incident: 'rw-ffffffffffffffff', verdict: 'abuse', note: 'stolen account' }],
      problems: [],
    });
    const line = `${JSON.stringify(GOOD)}\r\n`;
    for (const bytes of [Buffer.from(`\ufeff${line}`), Buffer.from(`\ufeff${line}`, 'utf16le')]) {
      expect(parseLabels('labels.ndjson', bytes, NOW)).toEqual({ entries: [LABEL], problems: [] });
    }
    expect(parse()).toEqual({ entries: [], problems: [] });
  });

  it('take their time with its zone', () => {
    expect(parse({ ...GOOD, at: '2026-09-05T14:00:00.5+02:00' }).entries[0].atMs).toBe(LABEL.atMs + 500);
  });

  it('of one incident the latest counts, the lower line where they are of one time', () => {
    const verdicts = (...lines: object[]) => parse(...lines).entries.map(({ verdict, by }) => `${verdict} ${by}`);
    const later = { ...GOOD, verdict: 'abuse', by: 'ben', at: '2026-09-05T13:00:00Z' };
    expect(verdicts(GOOD, later)).toEqual(['abuse ben']);
    expect(verdicts(later, GOOD)).toEqual(['abuse ben']);
    expect(verdicts(later, { ...GOOD, at: later.at })).toEqual(['benign ann']);
  });

  it('that lie ahead are told once, and kept', () => {
    const ahead = { ...GOOD, at: '2026-09-07T00:00:00Z' };
    const file = parse(GOOD, ahead, ahead);
    expect(file.entries).toHaveLength(1);
    expect(file.problems).toMatchObject([{ line: 2, path: 'at', severity: 'warning' }]);
  });
});

describe('what is no label', () => {
  it.each([
    ['no JSON', '{"incident":', '1 : is no JSON; a label is one object in one line'],
    ['another kind of JSON', '[1]', '1 : must be a section with keys'],
    ['an id of something else', { ...GOOD, incident: 'INC-17' }, '1 incident: must be the id of an incident, such as'],
    ['an id in capitals', { ...GOOD, incident: 'rw-0123456789ABCDEF' }, '1 incident: must be the id of an incident'],
    ['another verdict', { ...GOOD, verdict: 'spam' }, '1 verdict: cannot be "spam"'],
    ['nobody', { ...GOOD, by: ' ' }, '1 by: is empty'],
    ['a number for a name', { ...GOOD, by: 7 }, '1 by: must be text'],
    ['a very long name', { ...GOOD, by: 'a'.repeat(321) }, '1 by: is too long'],
    ['a very long note', { ...GOOD, note: 'a'.repeat(4_097) }, '1 note: is too long'],
    ['a time without zone', { ...GOOD, at: '2026-09-05T12:00:00' }, '1 at: must be a time with its zone, such as'],
    ['no such day', { ...GOOD, at: '2026-02-30T12:00:00Z' }, '1 at: must be a time with its zone, such as'],
    ['nothing', {}, '1 incident: is missing'],
    ['a key that there is not', { ...GOOD, comment: 'x' }, '1 comment: there is no such key'],
    ['a key of the language', `{"__proto__":{"by":"x"},${JSON.stringify(GOOD).slice(1)}`, '1 __proto__: there is no'],
    ['a very long line', `{"note":"${'a'.repeat(70_000)}"}`, '1 : is longer than 65536 characters'],
  ])('%s', (_, line, expected) => {
    const file = parse(line);
    expect(file.entries).toEqual([]);
    expect(places(file)[0].startsWith(expected), places(file)[0]).toBe(true);
    // The place is that of the line.
    expect(parse(GOOD, GOOD, line).problems[0].line).toBe(3);
  });

  it('names the word that was meant', () => {
    expect(parse({ ...GOOD, verdict: 'bening' }).problems[0]).toMatchObject({
      allowed: ['benign', 'abuse'],
      nearest: 'benign',
    });
  });

  it('is no text at all', () => {
    const zipped = parseLabels('labels.ndjson', gzipSync(JSON.stringify(GOOD)), NOW);
    expect(places(zipped)).toEqual(['1 : it is compressed (gzip)']);
  });

  it('is not read to its end, whatever its size', () => {
    const huge = Buffer.alloc(16 * 1024 * 1024, '[\n');
    const began = performance.now();
    expect(parseLabels('labels.ndjson', huge, NOW).problems.length).toBeLessThanOrEqual(21);
    expect(parseLabels('labels.ndjson', Buffer.alloc(huge.length, '['), NOW).problems).toHaveLength(1);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('is too much', () => {
    const lines = Array.from({ length: 100_001 }, (_, index) => ({
      ...GOOD,
      incident: `rw-${index.toString(16).padStart(16, '0')}`,
    }));
    expect(places(parse(...lines, GOOD))).toEqual(['100001 : there are labels of more than 100000 incidents']);
    expect(parse(...lines.slice(1), lines[5]).problems).toEqual([]);
  });
});

describe('--labels', () => {
  it('refuses with file, line, field and an example', async () => {
    const text = [JSON.stringify({ ...GOOD, verdict: 'spam' }), 'x', JSON.stringify(GOOD)].join('\n');
    const error = await read(Buffer.from(text)).catch((caught) => caught);
    expect(error).toBeInstanceOf(RelaywatchError);
    expect(error.exitCode).toBe(2);
    expect(error.message).toBe('--labels labels.ndjson:1:1: verdict: cannot be "spam" (allowed: benign, abuse)');
    expect(error.hint).toMatch(
      /^Also:\nlabels\.ndjson:2:1: is no JSON.*\nA line for each verdict, such as:\n {2}\{"incident"/,
    );
  });

  it('shows five problems, and how many there are more', async () => {
    const error = await read(Buffer.from('x\n'.repeat(9))).catch((caught) => caught);
    expect(error.hint).toMatch(/labels\.ndjson:5:1: [^\n]*\nand 4 more\nA line/);
  });

  it.each([
    ['', '--labels has no value'],
    ['-', '--labels cannot be read from stdin'],
    ['gone.ndjson', '--labels gone.ndjson does not exist'],
  ])('%j is no file', async (path, message) => {
    await expect(read(null, path)).rejects.toMatchObject({ message, exitCode: 2 });
  });

  it('gives the labels with their warnings', async () => {
    const found = await read(Buffer.from(JSON.stringify({ ...GOOD, at: '2026-10-01T00:00:00Z' })));
    expect(found.labels).toHaveLength(1);
    expect(found.warnings).toEqual([
      'labels.ndjson:1:1: warning: at: is later than now: the label counts from the day after it',
    ]);
  });
});
