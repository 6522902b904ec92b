/** What the objects of JSON exports say: which members are values, under which names, and their text. */

/** Objects and arrays inside each other; trace records have three levels at most. */
export const MAX_DEPTH = 64;
/** Objects inside a record whose members are values of their own; documents of ECS have four levels. */
const MAX_NESTING = 6;

/**
 * The members that are the values of a record, where wrappers have them:
 * - records of Azure's diagnostic streams in `properties`, which come first, beside what the stream itself
 *   says: `{"time":"...","category":"...","properties":{...}}`;
 * - documents of Elasticsearch in `_source` (searches, elasticdump) or `fields` (searches without sources);
 * - what Elastic's integrations collected as text in `event.original`, before what they made of it.
 */
export function recordMembers(element: Record<string, unknown>): Record<string, unknown> {
  const document = documentOf(element);
  const members = isObject(document.properties) ? ownFirst(document.properties, document, 'properties') : document;
  const original = originalOf(members);
  return original === null ? members : ownFirst(original, members, null);
}

function documentOf(element: Record<string, unknown>): Record<string, unknown> {
  if (isObject(element._source)) return element._source;
  return '_id' in element && isObject(element.fields) ? element.fields : element;
}

/** The members of the first, then those of the second that the first lacks, but for one. */
function ownFirst(
  first: Record<string, unknown>,
  second: Record<string, unknown>,
  except: string | null,
): Record<string, unknown> {
  // Spreads define members, also one called `__proto__`, where an assignment would set a prototype.
  const { ...rest } = second;
  if (except !== null) delete rest[except];
  return { ...first, ...rest, ...first };
}

/** The record behind `event.original`, which may be nested or one key; null where there is none. */
function originalOf(members: Record<string, unknown>): Record<string, unknown> | null {
  const nested = isObject(members.event) ? members.event.original : undefined;
  const found = nested ?? members['event.original'];
  const text = Array.isArray(found) ? found[0] : found;
  if (typeof text !== 'string' || !/^\s*\{/.test(text) || isTooDeep(text)) return null;
  try {
    const original: unknown = JSON.parse(text);
    if (!isObject(original)) return null;
    return isObject(original.properties) ? ownFirst(original.properties, original, 'properties') : original;
  } catch {
    return null;
  }
}

/** More than MAX_DEPTH levels, which would be a burden to write as text again. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const letter = json[i];
    if (inString && letter === '\\') i++;
    else if (letter === '"') inString = !inString;
    else if (!inString && (letter === '{' || letter === '[')) depth += 1;
    else if (!inString && (letter === '}' || letter === ']')) depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names of the values of a record, in order. */
export function valueNames(members: Record<string, unknown>): string[] {
  const names: string[] = [];
  forEachValue(members, (name) => names.push(name));
  return names;
}

/**
 * Every value of a record with its name: `email.from.address` is one, whether it is a key with dots or a member of
 * members. What is nested deeper than MAX_NESTING is one value.
 */
export function forEachValue(
  members: Record<string, unknown>,
  take: (name: string, value: unknown) => void,
  prefix = '',
  nesting = 0,
): void {
  for (const key of Object.keys(members)) {
    const value = members[key];
    const name = nesting === 0 ? key : `${prefix}.${key}`;
    if (nesting < MAX_NESTING && isObject(value) && !isWrapped(value)) forEachValue(value, take, name, nesting + 1);
    else take(name, value);
  }
}

/** A value as CSV would show it; lists with semicolons, as in columns of several recipients. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (isObject(value) && isWrapped(value)) return textOf(typeof value.Value === 'string' ? value.Value : value.value);
  if (Array.isArray(value) && !value.some((part) => typeof part === 'object' && part !== null)) {
    return value.map(textOf).join(';');
  }
  return JSON.stringify(value);
}

/**
 * ConvertTo-Json of Windows PowerShell writes values that carry members as objects: dates,
 * `{"value":"\/Date(1658751973240)\/","DateTime":"Monday, July 25, 2022 ..."}`, and the enumerations of remote
 * sessions, `{"value":4,"Value":"Failed"}`, and their lists, `{"value":["ann@contoso.com"],"Count":1}`.
 */
function isWrapped(value: Record<string, unknown>): boolean {
  if (!Object.hasOwn(value, 'value')) return false;
  if (Array.isArray(value.value)) return Object.hasOwn(value, 'Count');
  return typeof value.value === 'string' || typeof value.value === 'number';
}
