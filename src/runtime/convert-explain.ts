/** `convert --explain`: the inputs are prepared and read as for rows, and what was understood is printed instead. */

import type { ConvertSettings } from '../config/convert-options.ts';
import type { DeadLetterCode } from '../core/outcome.ts';
import type { ColumnRole } from '../formats/format.ts';
import { explanationText, type FileExplanation } from '../reports/explanation.ts';
import { anyRefused } from '../reports/notes.ts';
import { counted, formatCount } from '../reports/text.ts';
import type { FileLayout } from './inputs/layout.ts';
import { type PreparedFile, type PreparedInputs, prepareInputs, readInputs } from './inputs.ts';
import { createProgressLine } from './progress.ts';
import type { Streams } from './scan-command.ts';
import { streamOutput } from './stream-output.ts';

const ORDERS = { mdy: 'month first (mdy)', dmy: 'day first (dmy)', ymd: 'year first (ymd)' };
const DELIMITERS: Record<string, string> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs' };
const ENCODINGS = { 'utf-8': 'UTF-8', 'utf-16le': 'UTF-16LE', 'utf-16be': 'UTF-16BE', 'windows-1252': 'Windows-1252' };

export async function explainInputs(settings: ConvertSettings, { stdout, stderr }: Streams): Promise<0 | 1> {
  const prepared = await prepareInputs({
    ...settings,
    ...settings.range,
    tenantKey: settings.tenant.key,
    expand: true,
  });
  const progress = createProgressLine(stderr, settings.quiet);
  try {
    const deadLetters = prepared.files.map(() => new Map<DeadLetterCode, FileExplanation['deadLetters'][number]>());
    await readInputs(prepared, { add: () => undefined }, (read) => progress.update({ phase: 'reading', ...read }), {
      onDeadLetter(file, { code, line, reason }) {
        const known = deadLetters[file].get(code);
        if (known === undefined) deadLetters[file].set(code, { code, count: 1, line, reason });
        else known.count += 1;
      },
    });
    progress.clear();
    const output = streamOutput(stdout);
    for (let file = 0; file < prepared.files.length; file++) {
      const explained = { ...explanation(prepared, file, settings), deadLetters: [...deadLetters[file].values()] };
      if (!(await output.write(`${file === 0 ? '' : '\n'}${explanationText(explained)}`))) break;
    }
    // Those of single files stand beside them.
    const ofFiles = new Set(prepared.ledgerFiles.flatMap(({ path, warnings }) => warnings.map((w) => `${path}: ${w}`)));
    const others = [...settings.warnings, ...prepared.warnings.filter((warning) => !ofFiles.has(warning))];
    if (!settings.quiet) for (const warning of others) stderr.write(`warning: ${warning}\n`);
    return anyRefused(prepared.ledgerFiles) ? 1 : 0;
  } finally {
    progress.clear();
    await prepared.dispose();
  }
}

function explanation(
  prepared: PreparedInputs,
  number: number,
  settings: ConvertSettings,
): Omit<FileExplanation, 'deadLetters'> {
  const file = prepared.files[number];
  const { path, refused, warnings } = prepared.ledgerFiles[number];
  const message = refused === null ? null : `${refused.message} (${refused.code})`;
  const facts: FileExplanation['facts'] = [];
  if (file.container !== null) facts.push(['container', `${file.container}: what is in it was read`]);
  const { layout } = file;
  if (layout === null) return { path, refused: message, facts, used: [], unused: [], warnings };
  const start = prepared.storedBytes(number, 0, Math.max(3, layout.dataOffset));
  facts.push(
    ['format', formatFact(layout, settings)],
    ['shape', shapeFact(layout, start)],
    ['encoding', encodingFact(layout, start)],
    ['dates', datesFact(file, prepared, number, settings)],
    ['rows', rowsFact(prepared, number)],
  );
  const roles = Object.entries(layout.match.roles) as [ColumnRole, number][];
  const used = roles.filter(([, column]) => column >= 0);
  return {
    path,
    refused: message,
    facts,
    used: used.map(([role, column]) => [role.replaceAll('_', ' '), layout.columns[column]]),
    unused: layout.columns.filter((_, column) => !used.some(([, other]) => other === column)),
    warnings,
  };
}

function formatFact({ match }: FileLayout, { format }: ConvertSettings): string {
  const { id, title } = match.format;
  if (format !== null) return `${title} (${id}), as --format says`;
  return `${title} (${id}), which fits best: ${counted(match.documented, 'column')} with its documented names`;
}

function shapeFact({ shape, delimiter, columns }: FileLayout, start: Uint8Array): string {
  if (shape !== 'csv')
    return `${shape.toUpperCase()}, with ${counted(columns.length, 'different name')} in the first records`;
  const character = String.fromCharCode(delimiter);
  const isSaid = /(?:^|[\r\n"\ufeff])sep=/i.test(new TextDecoder('latin1').decode(start).replaceAll('\0', ''));
  const evidence = isSaid ? 'as its line sep= says' : 'of which its header has most';
  return `CSV with ${DELIMITERS[character] ?? `"${character}"`} between the cells, ${evidence}`;
}

function encodingFact({ encoding, assumedEncoding }: FileLayout, start: Uint8Array): string {
  const name = ENCODINGS[encoding];
  if (assumedEncoding) return `${name}, assumed: it has no byte order mark and is neither UTF-8 nor UTF-16`;
  const hasMark =
    encoding === 'utf-8' ? start[0] === 0xef && start[1] === 0xbb : (start[0] ^ start[1]) === 1 && start[0] >= 0xfe;
  if (hasMark) return `${name}, by its byte order mark`;
  return encoding === 'utf-8' ? `${name}: its bytes are valid, without a mark` : `${name}, as every other byte is zero`;
}

function datesFact(
  { dateOrder, dateEvidence }: PreparedFile,
  { ledgerFiles }: PreparedInputs,
  number: number,
  settings: ConvertSettings,
): string {
  // The order of the ledger is null where no date needs one.
  if (ledgerFiles[number].date_order === null || dateOrder === null) return 'each can be read in one way alone';
  const evidence = settings.dateOrder === null ? dateEvidence : 'as --date-order says';
  return evidence === null ? ORDERS[dateOrder] : `${ORDERS[dateOrder]}: ${evidence}`;
}

function rowsFact({ ledgerFiles }: PreparedInputs, number: number): string {
  const { rows, records, first, last, refused } = ledgerFiles[number];
  if (refused !== null) return 'none was read';
  const dead = sum(rows.dead_lettered);
  const dropped = Object.entries(rows.dropped).map(
    ([reason, count]) => `${formatCount(count)} ${reason.replaceAll('_', ' ')}`,
  );
  const usable = rows.read - dead - sum(rows.dropped);
  const parts = [`${formatCount(usable)} of ${counted(rows.read, 'row')} can be used`];
  if (records !== rows.read) parts.push(`from ${counted(records, 'record')}`);
  if (dropped.length > 0) parts.push(`left out: ${dropped.join(', ')}`);
  if (first !== null && last !== null) parts.push(`${first} to ${last}`);
  return parts.join('; ');
}

function sum(counts: Readonly<Partial<Record<string, number>>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}
