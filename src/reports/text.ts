/**
 * Text for a terminal. Subjects, addresses and connector names are the attacker's: whatever could move
 * the cursor, colour, reorder or hide text is shown as a mark instead.
 */

/**
 * What is never printed as it is: controls (C0, DEL, C1), format characters (bidi controls, zero-width
 * characters, tags), line and paragraph separators, lone surrogates, and letters that show nothing
 * (Default_Ignorable_Code_Point, the Braille blank).
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const EACH_INVISIBLE = new RegExp(INVISIBLE.source, 'gu');
/** Joiner and presentation selector inside an emoji are part of one picture. */
const EMOJI_GLUE = /(?<=\p{Extended_Pictographic}\ufe0f?)(?:\u200d(?=\p{Extended_Pictographic})|\ufe0f)/gu;
/** More than two combining marks on a character are no writing system but a way to overwrite other lines. */
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

/** Whether a text holds characters that a terminal would not show, or that would change what it shows. */
export function hasInvisible(text: string): boolean {
  return INVISIBLE.test(text.replace(EMOJI_GLUE, ''));
}

/** A text in one line, with a visible mark for every character that is invisible or could steer the terminal. */
export function terminalSafe(text: string): string {
  if (!INVISIBLE.test(text) && !/\p{M}/u.test(text)) return text;
  let safe = '';
  let from = 0;
  for (const glue of text.matchAll(EMOJI_GLUE)) {
    safe += marked(text.slice(from, glue.index)) + glue[0];
    from = glue.index + glue[0].length;
  }
  return (safe + marked(text.slice(from))).replace(STACKED_MARKS, '$1');
}

/** The same for texts of several lines: line feeds stay. */
export function terminalSafeLines(text: string): string {
  return text.split('\n').map(terminalSafe).join('\n');
}

function marked(text: string): string {
  return text.replace(EACH_INVISIBLE, (character) => {
    const point = character.codePointAt(0)!;
    if (point < 0x20) return String.fromCodePoint(0x2400 + point);
    if (point === 0x7f) return '\u2421';
    if (point >= 0xd800 && point <= 0xdfff) return '\ufffd';
    return `<U+${point.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

/** Characters that take two columns: East Asian wide and full-width forms, and emoji (Unicode UAX #11). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /[\p{M}\u200d]/u;

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  let joined = false;
  for (const character of text) {
    if (!joined && !NO_WIDTH.test(character)) width += WIDE.test(character) ? 2 : 1;
    joined = character === '\u200d';
  }
  return width;
}

/** The text in at most `columns` columns, its end replaced by an ellipsis where it is longer. */
export function truncate(text: string, columns: number): string {
  // Longer than this it is cut anyway, and need not be measured.
  const bounded = text.length > columns * 16 ? text.slice(0, columns * 16) : text;
  if (bounded === text && displayWidth(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const character of bounded) {
    const next = displayWidth(kept + character);
    if (next > columns - 1) break;
    kept += character;
    width = next;
  }
  return width === 0 ? '…' : `${kept}…`;
}

/** The text padded with spaces at its end to `columns` columns. */
export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

/** Breaks a text at spaces into lines of at most `columns` columns; a longer word stands alone. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  let width = 0;
  for (const word of text.split(' ')) {
    const wordWidth = displayWidth(word);
    if (line !== '' && width + 1 + wordWidth > columns) {
      lines.push(line);
      line = word;
      width = wordWidth;
    } else {
      line = line === '' ? word : `${line} ${word}`;
      width += wordWidth + (line === word ? 0 : 1);
    }
  }
  lines.push(line);
  return lines;
}

/** `1234567` as `1,234,567`: the same on every machine, whatever its language. */
export function formatCount(value: number): string {
  const [whole, fraction] = String(value).split('.');
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A number for people, two digits after the point where it is small: `1,234`, `12.5`, `0.16`, `< 0.01`. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return formatCount(value);
  if (value > 0 && value < 0.005) return '< 0.01';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return formatCount(Number(value.toFixed(digits)));
}

/** Rows as columns of equal width, the first to the left and the others, which are numbers, to the right. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))));
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const blanks = ' '.repeat(widths[column] - displayWidth(cell));
      return column === 0 ? cell + blanks : blanks + cell;
    });
    return `  ${cells.join('  ')}`.trimEnd();
  });
}

/** A text in lines of at most `lineColumns` columns, the blanks in front included. */
export function indented(text: string, lineColumns: number, blanks = 2): string[] {
  return wrap(text, lineColumns - blanks).map((line) => `${' '.repeat(blanks)}${line}`);
}

/** `1 file`, `2 files`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${formatCount(value)} ${value === 1 ? one : many}`;
}

/** A share as a percentage, with a digit where it would be 0 or is not yet all. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 1) return percent < 0.1 ? '< 0.1 %' : `${percent.toFixed(1)} %`;
  const rounded = Math.round(percent);
  return rounded === 100 && share < 1 ? '> 99 %' : `${rounded} %`;
}

/** A length of time in its two largest units. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 60_000) return `${Math.max(1, Math.floor(durationMs / 1000))} s`;
  const minutes = Math.round(durationMs / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} days` : `${days} days ${hours % 24} h`;
}

/** `2026-09-05T18:02:13.490Z` as `2026-09-05 18:02`. */
export function formatMinute(rfc3339: string): string {
  return `${rfc3339.slice(0, 10)} ${rfc3339.slice(11, 16)}`;
}

/** Colours by meaning; each returns its text unchanged where there is no terminal. */
export interface Paint {
  critical(text: string): string;
  high(text: string): string;
  medium(text: string): string;
  low(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

/** Select Graphic Rendition (ECMA-48 8.3.117). */
export function createPaint(colour: boolean): Paint {
  const style = (open: string) => (text: string) => (colour ? `\u001b[${open}m${text}\u001b[0m` : text);
  return {
    critical: style('1;97;41'),
    high: style('1;31'),
    medium: style('1;33'),
    low: style('36'),
    strong: style('1'),
    faint: style('2'),
  };
}
