/** `--labels`: verdicts of analysts about incidents, a JSON object per line; of several about one the latest counts. */

import { z } from 'zod';
import type { Label } from '../core/feedback.ts';
import { RelaywatchError } from '../core/outcome.ts';
import { feedbackRefusal, type FeedbackFile, PROBLEMS_KEPT } from './feedback-file.ts';
import { type Path, type PipelineProblem, pathText } from './pipeline/problem.ts';
import { checkShape } from './pipeline/shape.ts';
import { type ReadFile, referenceText } from './reference-rows.ts';

const EXAMPLE =
  '{"incident":"rw-0123456789abcdef","verdict":"benign","by":"ann","at":"2026-09-05T12:00:00Z","note":"newsletter"}';
const HINT = `A line for each verdict, such as:\n  ${EXAMPLE}`;
const MAX_LABELS = 100_000;
const MAX_NOTE = 4096;
const MAX_NAME = 320;
/** A verdict at the present may come from a clock that is ahead. */
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
): Promise<FeedbackFile<Label>> {
  const bytes = path === '' || path === '-' ? null : await readFile(path, '--labels');
  return feedbackRefusal('labels', '--labels', path, HINT, bytes === null ? null : parseLabels(path, bytes, nowMs));
}

/** The labels of a file, and what is wrong with it; `shown` is its name in problems. */
export function parseLabels(shown: string, bytes: Uint8Array, nowMs: number): FeedbackFile<Label> {
  const labels = new Map<string, Label>();
  const problems: PipelineProblem[] = [];
  let later = 0;
  for (const [index, line] of linesOf(shown, bytes, problems).entries()) {
    if (line.trim() === '') continue;
    const source = new LineSource(shown, index + 1, line);
    const { data, problems: found } = source.problems.length > 0 ? source.unread : checkShape(source, LINE);
    problems.push(...found);
    if (problems.length >= PROBLEMS_KEPT) break;
    if (data === null) continue;
    if (labels.size >= MAX_LABELS && !labels.has(data.incident)) {
      problems.push(source.problem([], `there are more than ${MAX_LABELS} incidents with a label`));
      break;
    }
    const label: Label = { ...data, note: data.note ?? '', atMs: Date.parse(data.at) };
    if (label.atMs > nowMs + AHEAD_MS && later++ === 0) {
      const message = 'is later than now: the label counts from the day after it';
      problems.push(source.problem(['at'], message, { severity: 'warning' }));
    }
    const known = labels.get(label.incident);
    if (known === undefined || label.atMs >= known.atMs) labels.set(label.incident, label);
  }
  return { entries: [...labels.values()], problems };
}
