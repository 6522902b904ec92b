import { expect, test } from 'vitest';
import { ByteWindow, PIECE_BYTES } from '../../src/readers/byte-window.ts';

/** Takes lines, and remembers where the last one began. */
class Lines extends ByteWindow {
  readonly lines: { text: string; offset: number; line: number }[] = [];
  largest = 0;
  private begun = 0;

  protected scan(): void {
    this.largest = Math.max(this.largest, this.bytes.length);
    for (; this.at < this.end; this.at += 1) {
      if (this.bytes[this.at] !== 0x0a) continue;
      expect(this.begun).toBe(this.mark);
      this.lines.push({ text: this.bytes.toString('utf8', this.mark, this.at), offset: this.offset, line: this.line });
      this.advance(this.at + 1);
      this.begun = this.mark;
      this.at -= 1;
    }
  }

  protected moved(by: number): void {
    this.begun -= by;
  }
}

test('a window keeps what is needed, knows its place, and does not grow with the stream', () => {
  const storedLength = (_: Uint8Array, start: number, end: number): number => 2 * (end - start);
  const window = new Lines({ startOffset: 10, startLine: 5, storedLength });
  const texts = Array.from({ length: 3_000 }, (_, index) => `${index}`.padEnd(index % 400, 'x'));
  const bytes = Buffer.from(`${texts.join('\n')}\n`);
  for (let at = 0; at < bytes.length; at += 1_009) window.push(bytes, at, Math.min(bytes.length, at + 1_009));
  expect(window.lines.map(({ text }) => text)).toEqual(texts);
  expect(window.lines[0]).toMatchObject({ offset: 10, line: 5 });
  const before = texts.slice(0, -1).join('\n').length + 1;
  expect(window.lines.at(-1)).toMatchObject({ offset: 10 + 2 * before, line: 5 + texts.length - 1 });
  expect(window.largest).toBeLessThanOrEqual(2 * PIECE_BYTES);
});
