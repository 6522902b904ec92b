/**
 * Reads the public mail traces: who wrote to whom, and when, without any content.
 *
 * - `radoslaw-email.edges`: internal mail of a manufacturing company, 2010 (Michalski et al. 2011;
 *   Network Repository). Columns: from, to, unix time in seconds, weight.
 * - `enron-employees.edges`: mail among 147 Enron employees, 1999-2002 (public FERC release).
 *   Columns: from, to, weight, unix time in seconds.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const TRACES = [
  { name: 'radoslaw', file: 'radoslaw-email.edges', timeColumn: 2 },
  { name: 'enron', file: 'enron-employees.edges', timeColumn: 3 },
] as const;
export type TraceName = (typeof TRACES)[number]['name'];

export interface TraceEdge {
  from: number;
  to: number;
  timeMs: number;
}

/** Beside the project: `../shared/data/mail-traces`, or what RELAYWATCH_TRACES names. */
export function defaultTracesFolder(): string {
  return (
    process.env.RELAYWATCH_TRACES ??
    join(fileURLToPath(new URL('../../..', import.meta.url)), 'shared', 'data', 'mail-traces')
  );
}

/** The rows of a trace in order of time; rows of equal time stay in the order of the file. */
export function parseTrace(text: string, name: TraceName): TraceEdge[] {
  const trace = TRACES.find((candidate) => candidate.name === name);
  if (trace === undefined) throw new Error(`no trace is called ${name}`);
  const edges: TraceEdge[] = [];
  text.split('\n').forEach((line, index) => {
    if (line === '') return;
    const cells = line.split(' ');
    const edge = { from: Number(cells[0]), to: Number(cells[1]), timeMs: Number(cells[trace.timeColumn]) * 1000 };
    if (!Number.isInteger(edge.from) || !Number.isInteger(edge.to) || !(edge.timeMs > 0)) {
      throw new Error(`${trace.file}, line ${index + 1}: three whole numbers expected, found "${line}"`);
    }
    edges.push(edge);
  });
  return edges.sort((a, b) => a.timeMs - b.timeMs);
}
