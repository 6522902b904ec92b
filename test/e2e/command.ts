/** Runs the command line in a process of its own, and small exports to run it on. */

import { spawn } from 'node:child_process';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const COMMAND = path.join(ROOT, 'bin/relaywatch.js');
export const EXAMPLE = path.join(ROOT, 'examples/contoso/exports');
export const EXAMPLE_DOMAINS = path.join(ROOT, 'examples/contoso/accepted-domains.csv');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  /** Folder of the process. */
  cwd: string;
  input?: Uint8Array | string;
  env?: NodeJS.ProcessEnv;
}

/** Starts the command; the caller ends or awaits it. */
export function start(args: readonly string[], { cwd, env }: Surroundings) {
  return spawn(process.execPath, [COMMAND, ...args], { cwd, env: { ...process.env, ...env } });
}

export function run(args: readonly string[], surroundings: Surroundings): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = start(args, surroundings);
    const output: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => output.push(data));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout: Buffer.concat(output).toString('utf8'), stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(surroundings.input ?? '');
  });
}

export interface Row {
  organization?: string;
  received?: string;
  sender?: string;
  recipient?: string;
  subject?: string;
  status?: string;
  fromIp?: string;
  toIp?: string;
}

const COLUMNS =
  'Organization,Received,SenderAddress,RecipientAddress,Subject,Status,ToIP,FromIP,MessageId,MessageTraceId';

/** A Get-MessageTrace export; the id of a row is its number, counted from `firstId`. */
export function traceCsv(rows: readonly Row[], firstId = 1): string {
  const lines = rows.map((row, index) => traceLine(row, firstId + index));
  return `${[COLUMNS, ...lines].join('\r\n')}\r\n`;
}

export function traceLine(row: Row, id: number): string {
  const minute = String(id % 60).padStart(2, '0');
  const hour = String(Math.floor(id / 60) % 24).padStart(2, '0');
  return [
    row.organization ?? '',
    row.received ?? `2026-05-04T${hour}:${minute}:00.0000000`,
    row.sender ?? 'ann@contoso.com',
    row.recipient ?? `r${id}@fabrikam.example`,
    row.subject ?? 'Hello',
    row.status ?? 'Delivered',
    row.toIp ?? '192.0.2.1',
    row.fromIp ?? '',
    `<${id}@contoso.com>`,
    `00000000-0000-0000-0000-${String(id).padStart(12, '0')}`,
  ].join(',');
}

/** Rows of a server here that sends to many outside, in the name of a domain that is not registered. */
export function relayRows(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({
    received: new Date(Date.UTC(2026, 4, 6, 10, 0, index * 5)).toISOString().slice(0, 19),
    sender: `info${index % 3}@spam-run.example`,
    recipient: `victim${index}@victims.example`,
    subject: 'You won',
    fromIp: '198.51.100.7',
  }));
}
