/** From named values, in any order, to the record that a row of CSV would be: the columns that were asked for. */

import { Buffer } from 'node:buffer';
import type { RecordView } from './reader.ts';

/** Names whose columns are remembered: more of them than any record has. */
const MAX_KNOWN_NAMES = 1_024;

export interface FieldOptions {
  /** Canonical names of the columns; field i of every record belongs to column i. */
  columns: readonly string[];
  /** Makes a canonical name of a key. */
  canonicalColumn: (key: string) => string;
}

/** Collects the values of one record after the other. Where several names mean one column, the first value counts. */
export class FieldWriter {
  private readonly columns: ReadonlyMap<string, number>;
  private readonly canonicalColumn: (key: string) => string;
  /** Column of each name met so far, -1 for none. */
  private readonly columnOfName = new Map<string, number>();
  private readonly values: string[];
  private readonly view: RecordView;
  private scratch = Buffer.allocUnsafe(4_096);

  constructor({ columns, canonicalColumn }: FieldOptions) {
    this.columns = new Map(columns.map((name, column) => [name, column] as const).reverse());
    this.canonicalColumn = canonicalColumn;
    this.values = columns.map(() => '');
    this.view = {
      bytes: this.scratch,
      starts: new Int32Array(columns.length),
      ends: new Int32Array(columns.length),
      count: columns.length,
      offset: 0,
      length: 0,
      line: 0,
    };
  }

  /** The column of a name; -1 where nobody asked for it. */
  columnOf(name: string): number {
    let column = this.columnOfName.get(name);
    if (column === undefined) {
      column = this.columns.get(this.canonicalColumn(name)) ?? -1;
      if (this.columnOfName.size < MAX_KNOWN_NAMES) this.columnOfName.set(name, column);
    }
    return column;
  }

  isEmpty(column: number): boolean {
    return this.values[column] === '';
  }

  set(column: number, text: string): void {
    this.values[column] = text;
  }

  /** The record of what was set since the last one; valid until the next. */
  write(offset: number, length: number, line: number): RecordView {
    const { values, view } = this;
    const characters = values.reduce((sum, value) => sum + value.length, 0);
    // UTF-8 needs at most three bytes for a UTF-16 code unit.
    if (characters * 3 > this.scratch.length) this.scratch = Buffer.allocUnsafe(characters * 3);
    let at = 0;
    for (const [column, value] of values.entries()) {
      view.starts[column] = at;
      at += this.scratch.write(value, at, 'utf8');
      view.ends[column] = at;
    }
    values.fill('');
    view.bytes = this.scratch;
    view.offset = offset;
    view.length = length;
    view.line = line;
    return view;
  }
}
