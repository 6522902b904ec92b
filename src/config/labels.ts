/** `--labels`: verdicts of analysts about incidents, a JSON object per line; of several about one the latest counts. */

import { z } from 'zod';
import type { Label } from '../core/feedback.ts';
import { RelaywatchError } from '../core/outcome.ts';
import type { ReadFile } from './reference-rows.ts';

const EXAMPLE =
  '{"incident":"rw-0123456789abcdef","verdict":"benign","by":"ann","at":"2026-09-05T12:00:00Z","note":"newsletter"}';
const MAX_LABELS = 100_000;
const MAX_TEXT = 4096;

const LINE = z.strictObject({
  incident: z.string().regex(/^rw-[0-9a-f]{16}$/, 'is no id of an incident, such as rw-0123456789abcdef'),
  verdict: z.enum(['benign', 'abuse']),
  by: z.string().min(1).max(320),
  at: z.iso.datetime({ offset: true }),
  note: z.string().max(MAX_TEXT).default(''),
});

/** Reads the labels at a path. Throws a RelaywatchError (exit 2) where a line is none. */
export async function readLabels(path: string, readFile: ReadFile): Promise<Label[]> {
  const bytes = path === '' || path === '-' ? null : await readFile(path, '--labels');
  if (bytes === null)
    throw refusal(path === '' || path === '-' ? '--labels needs a file' : `--labels ${path} does not exist`);
  const labels = new Map<string, Label>();
  const lines = new TextDecoder().decode(bytes).split('\n');
  lines.forEach((line, index) => {
    if (line.trim() === '') return;
    if (labels.size >= MAX_LABELS) throw refusal(`--labels ${path} has more than ${MAX_LABELS} incidents`);
    const label = labelOf(line, `--labels ${path}, line ${index + 1}`);
    const known = labels.get(label.incident);
    if (known === undefined || label.atMs >= known.atMs) labels.set(label.incident, label);
  });
  return [...labels.values()];
}

function labelOf(line: string, where: string): Label {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw refusal(`${where} is no JSON`);
  }
  const parsed = LINE.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw refusal(`${where}: ${path.length === 0 ? message : `${path.join('.')}: ${message}`}`);
  }
  const { at, ...label } = parsed.data;
  return { ...label, atMs: Date.parse(at) };
}

function refusal(message: string): RelaywatchError {
  return new RelaywatchError({
    code: 'wrong_labels',
    message,
    hint: `A line for each verdict:\n  ${EXAMPLE}`,
    exitCode: 2,
  });
}
