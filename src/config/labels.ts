/** `--labels`: verdicts of analysts about incidents, a JSON object per line; of several about one the latest counts. */

import { z } from 'zod';
import type { Label } from '../core/feedback.ts';
import { type FeedbackFile, PROBLEMS_KEPT, usableEntries } from './feedback-file.ts';
import { type Path, type PipelineProblem, pathText } from './pipeline/problem.ts';
import { checkShape, type ShapeSource } from './pipeline/shape.ts';
import { decodedText, type ReadFile } from './reference-rows.ts';

const EXAMPLE =
  '{"incident":"rw-0123456789abcdef","verdict":"benign","by":"ann","at":"2026-09-05T12:00:00Z","note":"newsletter"}';
const HINT = `A line for each verdict, such as:\n  ${EXAMPLE}`;
const MAX_LABELS = 100_000;
const MAX_LINE = 65_536;
const MAX_NOTE = 4_096;
const MAX_NAME = 320;
/** A clock may be ahead by so much. */
const AHEAD_MS = 3_600_000;

const LINE = z.strictObject({
  incident: z
    .string()
    .regex(/^rw-[0-9a-f]{16}$/)
    .meta({ shape: 'the id of an incident, such as rw-0123456789abcdef' }),
  verdict: z.enum(['benign', 'abuse']),
  by: z.string().trim().min(1).max(MAX_NAME),
  at: z.iso.datetime({ offset: true }).meta({ shape: 'a time with its zone, such as 2026-09-05T12:00:00Z' }),
  note: z.string().max(MAX_NOTE).optional(),
});

/** Reads the labels at a path. Throws a RelaywatchError (exit 2) with the first lines that are none. */
export async function readLabels(
  path: string,
  readFile: ReadFile,
  nowMs: number,
): Promise<{ labels: Label[]; warnings: string[] }> {
  const bytes = path === '' || path === '-' ? null : await readFile(path, '--labels');
  const file = bytes === null ? null : parseLabels(path, bytes, nowMs);
  const { entries, warnings } = usableEntries({ option: '--labels', path, hint: HINT }, file);
  return { labels: entries, warnings };
}

/** The labels of a file and what is wrong in it; `shown` is its name in problems. */
export function parseLabels(shown: string, bytes: Uint8Array, nowMs: number): FeedbackFile<Label> {
  const decoded = decodedText(bytes);
  if ('binary' in decoded) return { entries: [], problems: [problemAt(shown, 1, [], decoded.binary)] };
  const labels = new Map<string, Label>();
  const problems: PipelineProblem[] = [];
  let hasLater = false;
  for (const [index, text] of decoded.text.split('\n').entries()) {
    if (text.trim() === '') continue;
    const line = lineOf(shown, index + 1, text);
    const { data, problems: found } =
      line.wrong === null ? checkShape(line, LINE) : { data: null, problems: [line.wrong] };
    problems.push(...found);
    if (problems.length >= PROBLEMS_KEPT) break;
    if (data === null) continue;
    const { at, note = '', ...label } = data;
    const atMs = Date.parse(at);
    if (atMs > nowMs + AHEAD_MS && !hasLater) {
      hasLater = true;
      problems.push(
        line.problem(['at'], 'is later than now: the label counts from the day after it', { severity: 'warning' }),
      );
    }
    const known = labels.get(label.incident);
    if (known === undefined && labels.size >= MAX_LABELS) {
      problems.push(line.problem([], `there are labels of more than ${MAX_LABELS} incidents`));
      break;
    }
    if (known === undefined || atMs >= known.atMs) labels.set(label.incident, { ...label, note, atMs });
  }
  return { entries: [...labels.values()], problems };
}

/** A line as a source of values whose problems name it. */
function lineOf(file: string, line: number, text: string): ShapeSource & { wrong: PipelineProblem | null } {
  const problem: ShapeSource['problem'] = (path, message, { atKey: _, ...fields } = {}) => ({
    ...problemAt(file, line, path, message),
    ...fields,
  });
  const source = { problem, isUnset: () => false, isLiteral: () => true, value: undefined };
  if (text.length > MAX_LINE) return { ...source, wrong: problem([], `is longer than ${MAX_LINE} characters`) };
  try {
    return { ...source, value: JSON.parse(text), wrong: null };
  } catch {
    return { ...source, wrong: problem([], 'is no JSON; a label is one object in one line') };
  }
}

function problemAt(file: string, line: number, path: Path, message: string): PipelineProblem {
  return { file, line, column: 1, path: pathText(path), message, severity: 'error' };
}
