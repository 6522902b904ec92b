/** Times and encodings of exports. */

export function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

export interface CivilTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  millisecond: number;
}

/** The parts of a time in UTC. */
export function splitTime(timeMs: number): CivilTime {
  const date = new Date(timeMs);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
  };
}

/** `2026-09-05T18:10:13.490`, without a zone. */
export function sortableTime(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 23);
}

/** `ascii` is Export-Csv of Windows PowerShell without -Encoding: what is not ASCII becomes `?`. */
export type ExportEncoding = 'utf8' | 'utf8-bom' | 'utf16le' | 'utf16le-bom' | 'utf16be-bom' | 'ascii';

export function encodeExport(text: string, encoding: ExportEncoding): Buffer {
  switch (encoding) {
    case 'utf8':
      return Buffer.from(text, 'utf8');
    case 'utf8-bom':
      return Buffer.from(`\ufeff${text}`, 'utf8');
    case 'utf16le':
      return Buffer.from(text, 'utf16le');
    case 'utf16le-bom':
      return Buffer.from(`\ufeff${text}`, 'utf16le');
    case 'utf16be-bom':
      return Buffer.from(`\ufeff${text}`, 'utf16le').swap16();
    case 'ascii':
      return Buffer.from(text.replace(/[^\x00-\x7f]/g, '?'), 'latin1');
  }
}
