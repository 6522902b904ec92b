/**
 * The ids of IPv4 addresses by their 32 bits: finding one costs one look at memory, where the text of an
 * address in a dictionary costs a hash and several.
 */

const INITIAL_SLOTS = 256;

export class Ipv4Ids {
  /** Two words a slot, the address and its id; at most half of the slots are used, an id of 0 marks the others. */
  #slots = new Uint32Array(INITIAL_SLOTS * 2);
  #used = 0;

  /** The id of an address; 0 where none was set. */
  get(address: number): number {
    return this.#slots[this.#slotOf(address) * 2 + 1];
  }

  /** Sets the id, 1 or more, of an address that has none. */
  set(address: number, id: number): void {
    this.#enter(address, id);
    this.#used++;
    if (this.#used * 4 > this.#slots.length) this.#grow();
  }

  /** The slot of an address, or the empty one where it belongs. */
  #slotOf(address: number): number {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    // Neighbours differ in the low bits, networks in the high ones.
    let hash = Math.imul(address ^ (address >>> 16), 0x7feb352d);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    while (slots[slot * 2 + 1] !== 0 && slots[slot * 2] !== address) slot = (slot + 1) & mask;
    return slot;
  }

  #enter(address: number, id: number): void {
    const slot = this.#slotOf(address);
    this.#slots[slot * 2] = address;
    this.#slots[slot * 2 + 1] = id;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) this.#enter(old[i], old[i + 1]);
  }
}
