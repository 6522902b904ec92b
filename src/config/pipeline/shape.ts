/** Checks the shape of a file against its schema, and says in plain words what does not fit and what would. */

import type { z } from 'zod';
import { nearestName } from '../nearest-name.ts';
import type { Path, PipelineProblem } from './problem.ts';
import type { YamlFile } from './yaml-file.ts';

/** The values of a file whose shape is right, or null. What the environment has yet to give counts as right, or as left out. */
export interface Shaped<T> {
  data: T | null;
  problems: PipelineProblem[];
}

/** What is checked: a value, and how problems in it are made. */
export type ShapeSource = Pick<YamlFile, 'value' | 'problem' | 'isUnset' | 'isLiteral'>;

export function checkShape<Schema extends z.ZodType>(file: ShapeSource, schema: Schema): Shaped<z.infer<Schema>> {
  const result = schema.safeParse(file.value);
  if (result.success) return { data: result.data, problems: [] };
  const problems = result.error.issues.flatMap((issue) => issueProblems(file, schema, issue, issue.path as Path));
  if (problems.length > 0) return { data: null, problems };
  // Only values that are yet to come do not fit: the rest is looked at without them.
  const value = structuredClone(file.value);
  for (const { path } of result.error.issues) remove(value, path as Path);
  return { data: schema.safeParse(value).data ?? null, problems };
}

function remove(value: unknown, path: Path): void {
  const parent = valueAt(value, path.slice(0, -1));
  if (typeof parent === 'object' && parent !== null) delete (parent as Record<string | number, unknown>)[path.at(-1)!];
}

function issueProblems(file: ShapeSource, root: z.ZodType, issue: z.core.$ZodIssue, path: Path): PipelineProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const schema = schemaAt(root, file.value, path);
    const allowed = keysOf(schema === null ? null : likest(schema, valueAt(file.value, path)));
    return issue.keys.map((key) => {
      const nearest = nearestName(key, allowed) ?? undefined;
      return file.problem([...path, key], 'there is no such key', { allowed, nearest, atKey: true });
    });
  }
  if (file.isUnset(path)) return [];
  const value = valueAt(file.value, path);
  if (issue.code === 'invalid_union') {
    const options = optionsOf(schemaAt(root, file.value, path));
    const index = options.findIndex((option) => kindOf(option) === kindOfValue(value));
    const inner = issue.errors[index];
    if (inner === undefined) return [file.problem(path, `must be ${options.map(kindOf).map(kindText).join(' or ')}`)];
    return inner.flatMap((one) => issueProblems(file, root, one, [...path, ...(one.path as Path)]));
  }
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    if (value === undefined) return [file.problem(path, 'is missing', { allowed })];
    // What came from the environment is not shown: it may be a secret in the wrong place.
    const typed = file.isLiteral(path) && typeof value !== 'object' ? ` "${String(value).slice(0, 60)}"` : ' this';
    return [
      file.problem(path, `cannot be${typed}`, { allowed, nearest: nearestName(String(value), allowed) ?? undefined }),
    ];
  }
  return [file.problem(path, value === undefined ? 'is missing' : issueText(issue, schemaAt(root, file.value, path)))];
}

function issueText(issue: z.core.$ZodIssue, schema: z.ZodType | null): string {
  const shape = schema?.meta()?.shape;
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kindText(issue.expected)}`;
    case 'invalid_format':
      return `must be ${typeof shape === 'string' ? shape : 'written differently'}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array' ? 'is empty' : `must be at least ${issue.minimum}`;
    case 'too_big':
      if (issue.origin === 'array') return `has more than ${issue.maximum} entries`;
      return issue.origin === 'string' ? 'is too long' : `must be at most ${issue.maximum}`;
    case 'custom':
      return issue.message;
    default:
      return 'is not allowed here';
  }
}

/** Kinds of schemas, and of values, as in the issues of zod. */
type Kind = string;

function kindText(kind: Kind): string {
  const words: Partial<Record<Kind, string>> = {
    string: 'text',
    array: 'a list',
    object: 'a section with keys',
    int: 'a whole number',
    number: 'a whole number',
    boolean: 'true or false',
  };
  return words[kind] ?? kind;
}

function kindOf(schema: z.ZodType): Kind {
  return unwrapped(schema).def.type;
}

function kindOfValue(value: unknown): Kind {
  return Array.isArray(value) ? 'array' : typeof value;
}

/** The schema itself below `optional` and conversions from text. */
function unwrapped(schema: z.ZodType): z.ZodType {
  if (schema.def.type === 'optional') return unwrapped((schema as z.ZodOptional<z.ZodType>).unwrap());
  if (schema.def.type === 'pipe') return unwrapped((schema as z.ZodPipe<z.ZodType, z.ZodType>).out);
  return schema;
}

/** The schema of the value at a path: a union where the path ends at one. */
function schemaAt(root: z.ZodType, value: unknown, path: Path): z.ZodType | null {
  let schema: z.ZodType | null = unwrapped(root);
  let at = value;
  for (const step of path) {
    schema = schema === null ? null : childOf(likest(schema, at), step);
    at = valueAt(at, [step]);
  }
  return schema;
}

/** Of a union the option of the value's kind, or null. */
function likest(schema: z.ZodType, value: unknown): z.ZodType | null {
  if (schema.def.type !== 'union') return schema;
  const option = optionsOf(schema).find((one) => kindOf(one) === kindOfValue(value));
  return option === undefined ? null : unwrapped(option);
}

function optionsOf(schema: z.ZodType | null): z.ZodType[] {
  return schema?.def.type === 'union' ? (schema as z.ZodUnion<z.ZodType[]>).options : [];
}

function childOf(schema: z.ZodType | null, step: string | number): z.ZodType | null {
  if (schema?.def.type === 'array') return unwrapped((schema as z.ZodArray<z.ZodType>).element);
  if (schema?.def.type !== 'object') return null;
  const shape: Record<string, z.ZodType> = (schema as z.ZodObject).shape as Record<string, z.ZodType>;
  return Object.hasOwn(shape, step) ? unwrapped(shape[step]) : null;
}

function keysOf(schema: z.ZodType | null): string[] {
  return schema?.def.type === 'object' ? Object.keys((schema as z.ZodObject).shape) : [];
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
