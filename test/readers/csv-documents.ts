/** Random CSV documents for the property tests of the readers. */

import fc from 'fast-check';

export interface TableDocument {
  text: string;
  rows: string[][];
  columns: number;
  delimiter: number;
}

const CELL_PARTS = [
  'a',
  'Ärger',
  '漢',
  '😀',
  '\u200f',
  ' ',
  '"',
  '""',
  ',',
  ';',
  '\t',
  '\n',
  '\r\n',
  '\r',
  "'",
  '\ufeff',
];

const cell = fc.record({
  value: fc.array(fc.constantFrom(...CELL_PARTS), { maxLength: 5 }).map((parts) => parts.join('')),
  quoted: fc.boolean(),
});

/** A well-formed table: quoted where it must be and sometimes where it need not, blank lines, LF and CRLF mixed. */
export function tableDocument(): fc.Arbitrary<TableDocument> {
  return fc
    .record({
      columns: fc.integer({ min: 2, max: 5 }),
      delimiter: fc.constantFrom(',', ';', '\t'),
      lineEnds: fc.array(fc.constantFrom('\n', '\r\n', '\n\n', '\r\n\n'), { minLength: 1, maxLength: 3 }),
      endsWithNewline: fc.boolean(),
    })
    .chain((layout) =>
      fc
        .array(fc.array(cell, { minLength: layout.columns, maxLength: layout.columns }), { maxLength: 6 })
        .map((cells) => {
          const { columns, delimiter, lineEnds, endsWithNewline } = layout;
          const lines = cells.map((line) =>
            line
              .map(({ value, quoted }) => {
                const must = /^"|[\r\n]/.test(value) || value.includes(delimiter);
                return quoted || must ? `"${value.replaceAll('"', '""')}"` : value;
              })
              .join(delimiter),
          );
          let text = '';
          for (const [index, line] of lines.entries()) {
            const isLast = index === lines.length - 1;
            text += line + (isLast && !endsWithNewline ? '' : lineEnds[index % lineEnds.length]);
          }
          const rows = cells.map((line) => line.map(({ value }) => value));
          return { text, rows, columns, delimiter: delimiter.charCodeAt(0) };
        }),
    );
}

/** Any mixture of quotes, delimiters and line ends. A CR stands before LF only: alone, Python ends the record at it. */
export function soupDocument(): fc.Arbitrary<{ text: string; columns: number }> {
  const part = fc.constantFrom(
    '"',
    '"',
    '""',
    ',',
    ',',
    'a',
    ' ',
    '\n',
    '\r\n',
    'é😀',
    '",',
    ',"',
    '"\n',
    'a,b\n',
    '"a\n",',
  );
  return fc.record({
    text: fc.array(part, { maxLength: 40, size: 'max' }).map((parts) => parts.join('')),
    columns: fc.integer({ min: 2, max: 4 }),
  });
}

/** Chooses places to cut a document at. */
export function cutPoints(): fc.Arbitrary<(document: Uint8Array) => number[]> {
  return fc
    .array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 })
    .map(
      (shares) => (document) =>
        shares.map((share) => Math.floor(share * document.length)).sort((left, right) => left - right),
    );
}
