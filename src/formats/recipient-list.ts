/** Several recipients in one cell: `ann@a.example;bob@b.example`, and what people make of lists when they export. */

/** Bounds of one address of a list, and where the next begins. Both are the end where there are no more. */
export const listPart = { start: 0, end: 0, next: 0 };

const SEMICOLON = 0x3b;
const COMMA = 0x2c;
const BAR = 0x7c;
const QUOTE = 0x22;
const AT = 0x40;
const BACKSLASH = 0x5c;

/** What a list that nobody joined looks like in a CSV file of PowerShell: the name of its type. */
const TYPE_NAME = /^(?:System\.|Microsoft\.Exchange\.)[\w.`[\]]+$/;

/** Whether a `;` stands in the list; where none does, commas, bars and blanks may separate its addresses. */
export function hasSemicolon(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === SEMICOLON) return true;
  return false;
}

/**
 * The address that begins at `from` or after it, in a list that ends at `end`. `bySemicolon` is `hasSemicolon` of the
 * list. Separators in a quoted local part separate nothing; braces around a list (`{ann@a.example, bob@b.example}`) are left out.
 */
export function splitList(bytes: Uint8Array, from: number, end: number, bySemicolon: boolean): void {
  let i = from;
  while (i < end && isOuter(bytes[i], bySemicolon)) i++;
  listPart.start = i;
  if (i < end && bytes[i] === QUOTE) {
    let quote = i + 1;
    while (quote < end && bytes[quote] !== QUOTE) quote += bytes[quote] === BACKSLASH ? 2 : 1;
    if (quote + 1 < end && bytes[quote + 1] === AT) i = quote + 1;
  }
  while (i < end && !isSeparator(bytes[i], bySemicolon)) i++;
  let last = i;
  while (last > listPart.start && isOuter(bytes[last - 1], bySemicolon)) last--;
  listPart.end = last;
  listPart.next = i < end ? i + 1 : end;
}

/** Whether a cell that should hold one address holds several: two parts of it have an `@`, or it ends with a separator. */
export function isList(bytes: Uint8Array, start: number, end: number): boolean {
  if (end > start && (bytes[end - 1] === SEMICOLON || bytes[end - 1] === COMMA)) return true;
  const bySemicolon = hasSemicolon(bytes, start, end);
  let addresses = 0;
  for (let from = start; from < end; from = listPart.next) {
    splitList(bytes, from, end, bySemicolon);
    let at = listPart.start;
    while (at < listPart.end && bytes[at] !== AT) at++;
    if (at < listPart.end) addresses++;
    if (addresses === 2) return true;
  }
  return false;
}

/** Whether the cell holds the name of a type where a list was to be. */
export function isTypeName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 120 || end - start < 8) return false;
  return TYPE_NAME.test(new TextDecoder().decode(bytes.subarray(start, end)));
}

function isSeparator(byte: number, bySemicolon: boolean): boolean {
  return byte === SEMICOLON || (!bySemicolon && (byte === COMMA || byte === BAR || byte <= 0x20));
}

function isOuter(byte: number, bySemicolon: boolean): boolean {
  return byte <= 0x20 || byte === 0x7b || byte === 0x7d || isSeparator(byte, bySemicolon);
}
