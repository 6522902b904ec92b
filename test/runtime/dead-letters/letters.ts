import type { RowsHeader } from '../../../src/core/envelope.ts';

/** An envelope of rows with two columns. */
export function rowsHeader(fields: Partial<RowsHeader> = {}, layout: Partial<RowsHeader['layout']> = {}): RowsHeader {
  return {
    kind: 'rows',
    schema: 1,
    tenant: 'contoso',
    file: { id: 'ab'.repeat(32), name: 'trace.csv' },
    layout: {
      format: 'message-trace',
      encoding: 'utf-8',
      shape: 'csv',
      delimiter: 44,
      columns: ['Received', 'SenderAddress'],
      dateOrder: null,
      ...layout,
    },
    offset: 0,
    line: 1,
    records: 1,
    ...fields,
  };
}
