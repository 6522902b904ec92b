/** Counts by dense key that are made and emptied over and over: the keys of a batch, of the rows of a hit. */
export class KeyCounts {
  /** The first `size` are the keys counted, in the order in which they came. */
  keys = new Int32Array(64);
  size = 0;
  #counts = new Int32Array(64);

  /** Adds an amount above 0. */
  add(key: number, amount: number): void {
    if (key >= this.#counts.length) this.#grow(key);
    const count = this.#counts[key];
    this.#counts[key] = count + amount;
    if (count === 0) this.keys[this.size++] = key;
  }

  count(key: number): number {
    return key < this.#counts.length ? this.#counts[key] : 0;
  }

  clear(): void {
    for (let index = 0; index < this.size; index++) this.#counts[this.keys[index]] = 0;
    this.size = 0;
  }

  toMap(): Map<number, number> {
    const map = new Map<number, number>();
    for (let index = 0; index < this.size; index++) map.set(this.keys[index], this.#counts[this.keys[index]]);
    return map;
  }

  #grow(key: number): void {
    const capacity = Math.max(key + 1, this.#counts.length * 2);
    const counts = new Int32Array(capacity);
    counts.set(this.#counts);
    this.#counts = counts;
    const keys = new Int32Array(capacity);
    keys.set(this.keys);
    this.keys = keys;
  }
}
