import { expect, it } from 'vitest';
import { Ipv4Ids } from '../../src/core/ipv4-ids.ts';

it('keeps the ids of addresses apart, the smallest and the largest too', () => {
  const ids = new Ipv4Ids();
  const addresses = [0, 1, 0xffffffff, 0x80000000, ...Array.from({ length: 5000 }, (_, i) => 0xc6330000 + i * 257)];
  addresses.forEach((address, index) => {
    expect(ids.get(address)).toBe(0);
    ids.set(address, index + 1);
  });
  expect(addresses.map((address) => ids.get(address))).toEqual(addresses.map((_, index) => index + 1));
  expect(ids.get(12345)).toBe(0);
});
