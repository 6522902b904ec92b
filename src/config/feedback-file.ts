/** What the files that analysts write have in common: entries, and problems that name file, line and field. */

import { RelaywatchError } from '../core/outcome.ts';
import { type PipelineProblem, problemLine } from './pipeline/problem.ts';

export interface FeedbackFile<Entry> {
  entries: Entry[];
  problems: PipelineProblem[];
}

/** A file with more of them is not looked at further: it is probably no such file. */
export const PROBLEMS_KEPT = 20;
const PROBLEMS_SHOWN = 5;

/**
 * The entries of a file that an option named, with warnings for people; null stands for a file that does not exist.
 * Throws a RelaywatchError (exit 2) with the first problems where there are errors.
 */
export function usableEntries<Entry>(
  { option, path, hint }: { option: string; path: string; hint: string },
  file: FeedbackFile<Entry> | null,
): { entries: Entry[]; warnings: string[] } {
  const refusal = (message: string, more = ''): RelaywatchError =>
    new RelaywatchError({ code: 'wrong_feedback', message, hint: `${more}${hint}`, exitCode: 2 });
  if (file === null) {
    if (path === '') throw refusal(`${option} has no value`);
    throw refusal(path === '-' ? `${option} cannot be read from stdin` : `${option} ${path} does not exist`);
  }
  const errors = file.problems.filter(({ severity }) => severity === 'error').map(problemLine);
  if (errors.length > 0) {
    const others = errors.slice(1, PROBLEMS_SHOWN);
    if (errors.length > PROBLEMS_SHOWN) others.push(`and ${errors.length - PROBLEMS_SHOWN} more`);
    throw refusal(`${option} ${errors[0]}`, others.length === 0 ? '' : `Also:\n${others.join('\n')}\n`);
  }
  return { entries: file.entries, warnings: file.problems.map(problemLine) };
}
