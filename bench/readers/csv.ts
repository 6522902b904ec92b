/**
 * Rows per second of the CSV byte reader against fast-csv, on data shaped like Enhanced summaries.
 * Run by hand: `node bench/readers/csv.ts [rows] [rounds]`. Only the ratio is evidence.
 */

import {
  appendFileSync,
  closeSync,
  createReadStream,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'fast-csv';
import { createCsvByteReader } from '../../src/readers/csv-bytes.ts';
import { createDecoder, type TextEncoding } from '../../src/readers/encoding.ts';
import type { RecordView } from '../../src/readers/reader.ts';

const COLUMNS = [
  'origin_timestamp_utc',
  'sender_address',
  'recipient_status',
  'message_subject',
  'total_bytes',
  'message_id',
  'network_message_id',
  'original_client_ip',
  'directionality',
  'connector_id',
  'delivery_priority',
];

/** Xorshift32: the same rows on every run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

const WORDS =
  'invoice meeting update weekly report order payment please review contract delivery notice account team'.split(' ');
const FOREIGN = [
  'Rechnung für März',
  'résumé à vérifier',
  '請求書のご案内',
  'отчёт за неделю',
  'تقرير أسبوعي',
  'party 🎉 tonight',
];

function subjectOf(random: () => number): string {
  const words = Array.from({ length: 3 + Math.floor(random() * 6) }, () => WORDS[Math.floor(random() * WORDS.length)]);
  if (random() < 0.15) words.push(FOREIGN[Math.floor(random() * FOREIGN.length)]);
  const text = words.join(' ');
  const kind = random();
  if (kind < 0.015) return `"${text}\r\n folded, ""line"""`;
  if (kind < 0.1) return `"RE: ""${text}"""`;
  if (kind < 0.28) return `"${text}, again"`;
  return text;
}

function hex(random: () => number, length: number): string {
  return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('');
}

function rowOf(random: () => number, row: number): string {
  const domain = `d${Math.floor(random() * 6000)}.example`;
  const recipients = random() < 0.2 ? 3 : 1;
  const status = Array.from(
    { length: recipients },
    () => `user${Math.floor(random() * 5000)}@partner${Math.floor(random() * 900)}.example##Receive, Send`,
  ).join(';');
  const time = new Date(1788631813000 + row * 250).toISOString().replace('Z', '4907Z');
  const guid = `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${hex(random, 12)}`;
  return [
    time,
    `sender${Math.floor(random() * 2000)}@${domain}`,
    `"${status}"`,
    subjectOf(random),
    String(Math.floor(random() * 100000)),
    `<${hex(random, 32)}@mail-${hex(random, 6)}.prod.${domain}>`,
    guid,
    `198.51.100.${Math.floor(random() * 256)}`,
    random() < 0.7 ? '2' : '1',
    'Inbound from on-premises data centre',
    'Normal',
  ].join(',');
}

/** Processor time since `began`: unlike wall time, it hardly depends on what else the machine does. */
function cpuSeconds(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

interface Run {
  rows: number;
  seconds: number;
}

const CHUNK_BYTES = 1 << 20;

function readBytes(path: string, encoding: TextEncoding, columns: number): Run {
  const began = process.cpuUsage();
  const decoder = createDecoder(encoding, { skipBytes: 0 });
  let rows = 0;
  let fieldBytes = 0;
  const reader = createCsvByteReader(
    { delimiter: 0x2c, columns, startOffset: 0, startLine: 1, storedLength: decoder.storedLength },
    {
      record(view: RecordView) {
        rows += 1;
        fieldBytes += view.ends[1] - view.starts[1];
      },
      reject(letter) {
        throw new Error(`${letter.reason} in line ${letter.line}`);
      },
    },
  );
  const file = openSync(path, 'r');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
    const bytes = decoder.decode(chunk.subarray(0, length));
    reader.push(bytes, 0, bytes.length);
  }
  closeSync(file);
  reader.finish();
  if (fieldBytes === 0) throw new Error('no sender was read');
  return { rows: rows - 1, seconds: cpuSeconds(began) };
}

async function readFastCsv(path: string): Promise<Run> {
  const began = process.cpuUsage();
  let rows = 0;
  await new Promise<void>((resolve, reject) => {
    createReadStream(path)
      .pipe(parse({ headers: true }))
      .on('data', () => {
        rows += 1;
      })
      .on('error', reject)
      .on('end', () => resolve());
  });
  return { rows, seconds: cpuSeconds(began) };
}

function median(values: number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1];
}

async function main(): Promise<void> {
  const rows = Number(process.argv[2] ?? 100_000);
  const rounds = Number(process.argv[3] ?? 3);
  const folder = mkdtempSync(join(tmpdir(), 'relaywatch-bench-'));
  try {
    const utf8 = join(folder, 'summary.csv');
    const utf16 = join(folder, 'summary-utf16.csv');
    writeFileSync(utf8, `${COLUMNS.join(',')}\r\n`);
    writeFileSync(utf16, Buffer.from(`${COLUMNS.join(',')}\r\n`, 'utf16le'));
    const random = createRandom(20_261_123);
    for (let row = 0; row < rows; ) {
      let text = '';
      for (const until = Math.min(rows, row + 10_000); row < until; row += 1) text += `${rowOf(random, row)}\r\n`;
      appendFileSync(utf8, text);
      appendFileSync(utf16, Buffer.from(text, 'utf16le'));
    }
    const megabytes = statSync(utf8).size / 1e6;
    const ratios: number[] = [];
    const wideRatios: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const ours = readBytes(utf8, 'utf-8', COLUMNS.length);
      const wide = readBytes(utf16, 'utf-16le', COLUMNS.length);
      const theirs = await readFastCsv(utf8);
      if (ours.rows !== rows || wide.rows !== rows || theirs.rows !== rows) {
        throw new Error(`rows: ${ours.rows}, ${wide.rows}, ${theirs.rows} instead of ${rows}`);
      }
      ratios.push(theirs.seconds / ours.seconds);
      wideRatios.push(wide.seconds / ours.seconds);
      rates.push(rows / ours.seconds);
    }
    const rate = median(rates);
    process.stdout.write(
      `${rows} rows, ${megabytes.toFixed(1)} MB (${((megabytes * 1e6) / rows).toFixed(0)} bytes a row), ${rounds} rounds, medians of processor time\n` +
        `byte reader: ${(rate / 1e6).toFixed(2)} million rows/s, ${((rate * megabytes) / rows).toFixed(0)} MB/s\n` +
        `fast-csv takes ${median(ratios).toFixed(1)} times as long\n` +
        `UTF-16LE takes ${median(wideRatios).toFixed(2)} times as long as UTF-8\n`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
