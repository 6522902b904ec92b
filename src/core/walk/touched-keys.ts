/** The keys that a batch has changed, each once, in the order in which they were first changed. */
export class TouchedKeys {
  /** The first `count` are the keys; the array stays, since most batches touch one key. */
  keys = new Int32Array(64);
  count = 0;
  #isTouched = new Uint8Array(64);

  add(key: number): void {
    if (key >= this.#isTouched.length) this.#grow(key);
    if (this.#isTouched[key] !== 0) return;
    this.#isTouched[key] = 1;
    this.keys[this.count++] = key;
  }

  clear(): void {
    for (let index = 0; index < this.count; index++) this.#isTouched[this.keys[index]] = 0;
    this.count = 0;
  }

  #grow(key: number): void {
    const capacity = Math.max(key + 1, this.#isTouched.length * 2);
    const isTouched = new Uint8Array(capacity);
    isTouched.set(this.#isTouched);
    this.#isTouched = isTouched;
    const keys = new Int32Array(capacity);
    keys.set(this.keys);
    this.keys = keys;
  }
}
