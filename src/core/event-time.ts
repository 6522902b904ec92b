/**
 * Event times, from the bytes of a cell to milliseconds since 1970 UTC. Exports write ISO 8601, the
 * `/Date(ms)/` of Windows PowerShell's JSON, or the culture of whoever exported (`Export-Csv`); a time
 * without a zone is UTC, as Microsoft says of Get-MessageTrace (`Received`), never the local zone.
 */

/** How the parts of a numeric date follow each other where the year does not come first. */
export type DateOrder = 'mdy' | 'dmy' | 'ymd';

/** What one date text says about the order of day and month. */
export const EVIDENCE_NONE = 0;
/** Both readings are dates, and different ones. */
export const EVIDENCE_EITHER = 1;
export const EVIDENCE_MDY = 2;
export const EVIDENCE_DMY = 3;
/** Day and month are the same number: either order will do, but the file writes such dates. */
export const EVIDENCE_SAME = 4;

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/* Parts of the culture date read last; see `splitDate`. */
let part1 = 0;
let part2 = 0;
let part3 = 0;
let digits1 = 0;
let digits3 = 0;
let separator = 0;
/* The date of the ISO time read last, which the next one mostly has too, as a number like 20260905, and its start. */
let lastDate = 0;
let lastDateMs = 0;
/** Where the scan stands in the bytes. */
let cursor = 0;

/**
 * Parses the text in `[start, end)` and writes milliseconds to `out[at]`. False where it is no time of
 * the calendar. `order` is needed for dates such as `9/5/2026` alone; without one they are refused.
 */
export function parseEventTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  order: DateOrder | null,
  out: Float64Array,
  at: number,
): boolean {
  if (end - start >= 19 && bytes[start + 4] === 0x2d && bytes[start + 7] === 0x2d && bytes[start + 13] === 0x3a) {
    if (parseIso(bytes, start, end, out, at)) return true;
  }
  return parseOther(bytes, start, end, order, out, at);
}

/** `2026-09-05T18:10:13.4907658Z`: T or a space, 0 to 9 fraction digits, `Z`, an offset or nothing. */
function parseIso(bytes: Uint8Array, start: number, end: number, out: Float64Array, at: number): boolean {
  const mark = bytes[start + 10];
  if ((mark !== 0x54 && mark !== 0x20 && mark !== 0x74) || bytes[start + 16] !== 0x3a) return false;
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  const second = twoDigits(bytes, start + 17);
  // A pair that is no two digits is below -1,000, whatever it is added to.
  if (year < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  const date = (year * 100 + month) * 100 + day;
  if (date !== lastDate) {
    if (!isCalendarDay(year, month, day)) return false;
    lastDate = date;
    lastDateMs = daysFromCivil(year, month, day) * DAY_MS;
  }
  let ms = 0;
  let i = start + 19;
  if (i < end && (bytes[i] === 0x2e || bytes[i] === 0x2c)) {
    let scale = 100;
    const first = ++i;
    for (; i < end && isDigit(bytes[i]); i++) {
      ms += (bytes[i] - 0x30) * scale;
      scale = scale === 100 ? 10 : scale === 10 ? 1 : 0;
    }
    if (i === first || i - first > 9) return false;
  }
  const time = lastDateMs + ((hour * 60 + minute) * 60 + second) * 1000 + ms;
  if (i === end) {
    out[at] = time;
    return true;
  }
  if ((bytes[i] === 0x5a || bytes[i] === 0x7a) && i + 1 === end) {
    out[at] = time;
    return true;
  }
  if (bytes[i] === 0x20) i++;
  const offsetMinutes = parseOffset(bytes, i, end);
  if (Number.isNaN(offsetMinutes)) return false;
  out[at] = time - offsetMinutes * MINUTE_MS;
  return true;
}

/** `+02:00`, `-0530` or `+02` in minutes; NaN where it is none of these. */
function parseOffset(bytes: Uint8Array, start: number, end: number): number {
  const sign = bytes[start] === 0x2b ? 1 : bytes[start] === 0x2d ? -1 : 0;
  const length = end - start;
  if (sign === 0 || (length !== 3 && length !== 5 && length !== 6)) return Number.NaN;
  if (length === 6 && bytes[start + 3] !== 0x3a) return Number.NaN;
  const hours = twoDigits(bytes, start + 1);
  const minutes = length === 3 ? 0 : twoDigits(bytes, end - 2);
  if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return Number.NaN;
  return sign * (hours * 60 + minutes);
}

function parseOther(
  bytes: Uint8Array,
  cellStart: number,
  cellEnd: number,
  order: DateOrder | null,
  out: Float64Array,
  at: number,
): boolean {
  let start = cellStart;
  let end = cellEnd;
  while (start < end && bytes[start] <= 0x20) start++;
  while (end > start && bytes[end - 1] <= 0x20) end--;
  if (start !== cellStart || end !== cellEnd) return parseEventTime(bytes, start, end, order, out, at);
  if (bytes[start] === 0x2f || bytes[start] === 0x5c) return parseJsonDate(bytes, start, end, out, at);
  return parseCulture(bytes, start, end, order, out, at);
}

/** `/Date(1658751973240)/` or `/Date(1658751973240+0200)/`; the zone says how to show it, not when it was. */
function parseJsonDate(bytes: Uint8Array, start: number, end: number, out: Float64Array, at: number): boolean {
  if (end - start > 48) return false;
  const text = String.fromCharCode(...bytes.subarray(start, end));
  const match = /^\\?\/Date\((-?\d{1,15})(?:[+-]\d{4})?\)\\?\/$/.exec(text);
  if (match === null) return false;
  out[at] = Number(match[1]);
  return true;
}

/**
 * `9/5/2026 6:10:13 PM`, `05.09.2026 18:10:13`, `2026. 09. 05. 18:10`, `5-9-2026 18.10.13`, `05/09/2026
 * 06:10:13 p. m.`: the short date and long time of .NET cultures with a year of four digits. Blanks may be
 * no-break spaces (U+00A0) or, before AM and PM, narrow ones (U+202F, ICU since 72).
 */
function parseCulture(
  bytes: Uint8Array,
  start: number,
  end: number,
  order: DateOrder | null,
  out: Float64Array,
  at: number,
): boolean {
  if (!splitDate(bytes, start, end)) return false;
  let year = part1;
  let month = part2;
  let day = part3;
  if (digits1 !== 4) {
    year = part3;
    // No .NET culture writes the month first and dots.
    if (separator === 0x2e || order === 'dmy') {
      day = part1;
    } else if (order === 'mdy') {
      month = part1;
      day = part2;
    } else if (part1 === part2) {
      day = part1;
    } else {
      return false;
    }
  }
  if (!isCalendarDay(year, month, day)) return false;
  const time = parseTimeOfDay(bytes, end);
  if (time < 0) return false;
  out[at] = daysFromCivil(year, month, day) * DAY_MS + time;
  return true;
}

/**
 * What the date text in `[start, end)` says about the order of day and month in its file: nothing for
 * texts that need no order (ISO, year first, dots) and for texts that are no date.
 */
export function dateOrderEvidence(bytes: Uint8Array, start: number, end: number): number {
  let from = start;
  while (from < end && bytes[from] <= 0x20) from++;
  if (!splitDate(bytes, from, end) || digits1 === 4 || separator === 0x2e) return EVIDENCE_NONE;
  const mdy = isCalendarDay(part3, part1, part2);
  const dmy = isCalendarDay(part3, part2, part1);
  if (mdy && dmy) return part1 === part2 ? EVIDENCE_SAME : EVIDENCE_EITHER;
  return mdy ? EVIDENCE_MDY : dmy ? EVIDENCE_DMY : EVIDENCE_NONE;
}

/** Reads three numbers with one kind of separator; `cursor` then stands behind the date. */
function splitDate(bytes: Uint8Array, start: number, end: number): boolean {
  cursor = start;
  part1 = readNumber(bytes, end);
  digits1 = cursor - start;
  if (part1 < 0) return false;
  separator = cursor < end ? bytes[cursor] : 0;
  if (separator !== 0x2f && separator !== 0x2e && separator !== 0x2d) return false;
  cursor++;
  skipBlanks(bytes, end);
  part2 = readNumber(bytes, end);
  if (part2 < 0 || cursor >= end || bytes[cursor] !== separator) return false;
  cursor++;
  skipBlanks(bytes, end);
  const third = cursor;
  part3 = readNumber(bytes, end);
  digits3 = cursor - third;
  if (part3 < 0) return false;
  // "2026. 09. 05." in Hungarian.
  if (separator === 0x2e && cursor < end && bytes[cursor] === 0x2e) cursor++;
  return digits1 === 4 ? digits3 <= 2 : digits1 <= 2 && digits3 === 4;
}

/** A number of one to four digits at `cursor`, which moves behind it; -1 where there is none. */
function readNumber(bytes: Uint8Array, end: number): number {
  const start = cursor;
  let value = 0;
  while (cursor < end && isDigit(bytes[cursor])) {
    value = value * 10 + bytes[cursor] - 0x30;
    cursor++;
    if (cursor - start > 4) return -1;
  }
  return cursor === start ? -1 : value;
}

/** Spaces, tabs, U+00A0, U+202F and U+2009 in UTF-8. Returns how many bytes were skipped. */
function skipBlanks(bytes: Uint8Array, end: number): number {
  const start = cursor;
  while (cursor < end) {
    const byte = bytes[cursor];
    if (byte === 0x20 || byte === 0x09) cursor++;
    else if (byte === 0xc2 && bytes[cursor + 1] === 0xa0) cursor += 2;
    else if (byte === 0xe2 && bytes[cursor + 1] === 0x80 && (bytes[cursor + 2] === 0xaf || bytes[cursor + 2] === 0x89))
      cursor += 3;
    else break;
  }
  return cursor - start;
}

/** The time of day at `cursor`, in milliseconds; -1 where there is none or something follows it. */
function parseTimeOfDay(bytes: Uint8Array, end: number): number {
  // A comma follows the date in ICU's formats, a "T" or the Bulgarian year mark in others.
  if (cursor < end && bytes[cursor] === 0x2c) cursor++;
  if (skipBlanks(bytes, end) === 0) return -1;
  let hour = readNumber(bytes, end);
  const mark = cursor < end ? bytes[cursor] : 0;
  if (hour < 0 || (mark !== 0x3a && mark !== 0x2e)) return -1;
  cursor++;
  const minute = readNumber(bytes, end);
  if (minute < 0 || minute > 59) return -1;
  let second = 0;
  let ms = 0;
  if (cursor < end && bytes[cursor] === mark) {
    cursor++;
    second = readNumber(bytes, end);
    if (second < 0 || second > 59) return -1;
    if (cursor < end && (bytes[cursor] === 0x2e || bytes[cursor] === 0x2c)) {
      cursor++;
      const first = cursor;
      for (let scale = 100; cursor < end && isDigit(bytes[cursor]) && cursor - first < 9; cursor++) {
        ms += (bytes[cursor] - 0x30) * scale;
        scale = scale === 100 ? 10 : scale === 10 ? 1 : 0;
      }
      if (cursor === first) return -1;
    }
  }
  skipBlanks(bytes, end);
  if (cursor < end) {
    const half = readHalfOfDay(bytes, end);
    if (half < 0 || hour < 1 || hour > 12) return -1;
    hour = (hour % 12) + half;
  }
  if (hour > 23) return -1;
  return ((hour * 60 + minute) * 60 + second) * 1000 + ms;
}

/** 0 for `AM`, `am`, `a.m.`, `a. m.`, 12 for the like of `PM`; -1 for anything else. */
function readHalfOfDay(bytes: Uint8Array, end: number): number {
  const first = bytes[cursor] | 0x20;
  if (first !== 0x61 && first !== 0x70) return -1;
  cursor++;
  if (cursor < end && bytes[cursor] === 0x2e) cursor++;
  skipBlanks(bytes, end);
  if (cursor >= end || (bytes[cursor] | 0x20) !== 0x6d) return -1;
  cursor++;
  if (cursor < end && bytes[cursor] === 0x2e) cursor++;
  if (cursor !== end) return -1;
  return first === 0x61 ? 0 : 12;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** The number at `[i, i + 2)`; far below zero where it is none. */
function twoDigits(bytes: Uint8Array, i: number): number {
  const tens = bytes[i] - 0x30;
  const ones = bytes[i + 1] - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1_000_000;
}

function isCalendarDay(year: number, month: number, day: number): boolean {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
  if (day <= DAYS_IN_MONTH[month - 1]) return true;
  return month === 2 && day === 29 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days since 1970-01-01 of a day of the Gregorian calendar; years that begin in March make leap days the last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = (((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) | 0) + day - 1;
  const dayOfEra = yearOfEra * 365 + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
