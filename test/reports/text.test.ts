import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPaint,
  displayWidth,
  formatCount,
  formatDuration,
  formatShare,
  hasInvisible,
  padEnd,
  terminalSafe,
  terminalSafeLines,
  truncate,
  wrap,
} from '../../src/reports/text.ts';

const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069\u200b-\u200c\u200e\u200f\ufeff]/u;

describe('text for a terminal', () => {
  it.each([
    ['escape sequences', 'a\u001b[31mred\u001b[0m', 'a␛[31mred␛[0m'],
    ['an operating system command', '\u001b]0;title\u0007', '␛]0;title␇'],
    ['line feeds and returns', 'a\r\nb\tc', 'a␍␊b␉c'],
    ['delete', 'a\u007fb', 'a␡b'],
    ['C1 controls', 'a\u009b31mb', 'a<U+009B>31mb'],
    ['right-to-left override', 'invoice\u202efdp.exe', 'invoice<U+202E>fdp.exe'],
    ['isolates', '\u2066x\u2069', '<U+2066>x<U+2069>'],
    ['zero-width characters', 'pay\u200bpal\ufeff', 'pay<U+200B>pal<U+FEFF>'],
    ['a joiner between letters', 'a\u200db', 'a<U+200D>b'],
    ['line separators', 'a\u2028b', 'a<U+2028>b'],
    ['tags', 'a\u{e0041}b', 'a<U+E0041>b'],
    ['letters that show nothing', 'a\u3164b\u2800c', 'a<U+3164>b<U+2800>c'],
    ['annotations', 'a\ufff9b\ufffb', 'a<U+FFF9>b<U+FFFB>'],
    ['half a character', 'a\ud83db', 'a\ufffdb'],
    ['stacked marks', `z${'\u0301'.repeat(50)}`, 'z\u0301\u0301'],
  ])('marks %s', (_, text, safe) => {
    expect(terminalSafe(text)).toBe(safe);
    expect(hasInvisible(text)).toBe(!text.startsWith('z'));
  });

  it.each(['Grüße', 'e\u0301', 'Привет', '請求書', 'שלום', '👩‍👧 🏳️‍🌈 ❤️', "O'Brien <x@y>"])(
    'leaves %s alone',
    (text) => {
      expect(terminalSafe(text)).toBe(text);
      expect(hasInvisible(text)).toBe(false);
    },
  );

  it('keeps line feeds of texts that have lines', () => {
    expect(terminalSafeLines('a\u001b\nb')).toBe('a␛\nb');
  });

  it('never lets a control through (property)', () => {
    const seed = Date.now() % 1_000_000;
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const safe = terminalSafe(text);
        expect(CONTROL.test(safe)).toBe(false);
        expect(terminalSafe(safe)).toBe(safe);
      }),
      { numRuns: 2_000, seed, verbose: 1 },
    );
  });

  it('takes linear time', () => {
    const started = performance.now();
    for (const unit of ['\u0301', '\u001b', '❤️\u200d', 'e\u0301', '\u202e']) {
      terminalSafe(unit.repeat(200_000));
      truncate(unit.repeat(200_000), 40);
      hasInvisible(unit.repeat(200_000));
    }
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe('columns', () => {
  it.each([
    ['abc', 3],
    ['請求', 4],
    ['e\u0301', 1],
    ['👩‍👧', 2],
    ['ｆｕｌｌ', 8],
    ['', 0],
  ])('%s takes %d', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('are kept by truncation and padding', () => {
    expect(truncate('abcdef', 6)).toBe('abcdef');
    expect(truncate('abcdefg', 6)).toBe('abcde…');
    expect(truncate('請求書です', 6)).toBe('請求…');
    expect(padEnd('請', 4)).toBe('請  ');
  });

  it('are kept by wrapping, where words allow it', () => {
    expect(wrap('one two three four', 9)).toEqual(['one two', 'three', 'four']);
    expect(wrap('a-very-long-word x', 5)).toEqual(['a-very-long-word', 'x']);
    expect(wrap('', 5)).toEqual(['']);
  });
});

describe('numbers', () => {
  it('have thousands and the point of no particular language', () => {
    expect([0, 999, 1_000, 1_234_567, 0.4, 1234.56].map(formatCount)).toEqual([
      '0',
      '999',
      '1,000',
      '1,234,567',
      '0.4',
      '1,234.56',
    ]);
  });

  it('say shares without lying about all and nothing', () => {
    expect([0, 0.0004, 0.004, 0.126, 0.994, 0.997, 1].map(formatShare)).toEqual([
      '0 %',
      '< 0.1 %',
      '0.4 %',
      '13 %',
      '99 %',
      '> 99 %',
      '100 %',
    ]);
  });

  it('say durations in two units', () => {
    expect([0, 30_000, 90_000, 3_600_000, 9_540_000, 172_800_000, 180_000_000].map(formatDuration)).toEqual([
      '1 s',
      '30 s',
      '2 min',
      '1 h',
      '2 h 39 min',
      '2 days',
      '2 days 2 h',
    ]);
  });
});

it('paints only on a terminal', () => {
  expect(createPaint(false).high('x')).toBe('x');
  expect(createPaint(true).high('x')).toBe('\u001b[1;31mx\u001b[0m');
});
