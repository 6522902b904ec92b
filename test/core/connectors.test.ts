import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Connector, uniqueConnectors } from '../../src/core/connectors.ts';

const BASE: Connector = {
  direction: 'inbound',
  name: 'x',
  guid: '',
  isEnabled: true,
  type: '',
  source: '',
  createdMs: null,
  changedMs: null,
  domains: null,
  addresses: null,
  certificateName: '',
};

it('one connector is left of each direction and name, in any case', () => {
  const list = [BASE, { ...BASE, name: 'X', changedMs: 1 }, { ...BASE, direction: 'outbound' as const }];
  expect(uniqueConnectors(list)).toEqual([list[1], list[2]]);
});

it('the newest is left, in whatever order they come', () => {
  const one = fc.record({ createdMs: fc.integer({ min: 1, max: 3 }), changedMs: fc.constantFrom(null, 1, 2) });
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 6 }), (times) => {
      const list = times.map((some) => ({ ...BASE, ...some }));
      const [left] = uniqueConnectors(list);
      expect(uniqueConnectors([...list].reverse())).toEqual([left]);
      expect(left.changedMs ?? -1).toBe(Math.max(...list.map(({ changedMs }) => changedMs ?? -1)));
    }),
  );
});
