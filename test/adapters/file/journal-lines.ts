/** Envelopes whose number can be told again. */

import type { Envelope } from '../../../src/core/envelope.ts';

export function lineEnvelope(line: number): Envelope {
  const layout = { format: 'message-trace', encoding: 'utf-8', shape: 'csv', delimiter: 44, dateOrder: null } as const;
  return {
    header: {
      kind: 'rows',
      schema: 1,
      tenant: 'contoso',
      file: { id: 'cd'.repeat(32), name: 'trace.csv' },
      layout: { ...layout, columns: ['line', 'fill'] },
      offset: line,
      line,
      records: 1,
    },
    payload: new TextEncoder().encode(`${line},${'x'.repeat((line * 37) % 3000)}\n`),
  };
}
