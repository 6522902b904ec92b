/**
 * Seeded random numbers: sfc32 (Chris Doty-Humphrey's "small fast counting" generator, 128 bits of
 * state). The same seed gives the same numbers on every machine; `Math.random` is used nowhere.
 *
 * A generator is forked by label, so that adding a draw in one part of a world does not move the
 * others.
 */

const TWO_32 = 4294967296;

/** 32-bit hash of a text (FNV-1a, finished by a multiplication round so that short texts spread). */
function hashText(text: string, start: number): number {
  let hash = start | 0;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x846ca68b);
  return (hash ^ (hash >>> 16)) | 0;
}

export class Random {
  readonly seed: string;
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;
  private spareNormal = Number.NaN;

  constructor(seed: string) {
    this.seed = seed;
    this.a = hashText(seed, 0x811c9dc5);
    this.b = hashText(seed, 0x2545f491);
    this.c = hashText(seed, 0x6b43a9b5);
    for (let round = 0; round < 15; round++) this.word();
  }

  /** A generator of its own for one part of the world. */
  fork(label: string): Random {
    return new Random(`${this.seed}/${label}`);
  }

  /** 32 random bits as an unsigned number. */
  word(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.word() / TWO_32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Whole number in [low, high], both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.uniform() * items.length)];
  }

  /** Exponential with the given mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }

  normal(): number {
    if (!Number.isNaN(this.spareNormal)) {
      const spare = this.spareNormal;
      this.spareNormal = Number.NaN;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Log-normal with mean 1 and the given sigma of the logarithm. */
  logNormal(sigma: number): number {
    return Math.exp(sigma * this.normal() - (sigma * sigma) / 2);
  }

  /** Gamma of the given shape with mean 1 (Marsaglia and Tsang 2000). */
  gammaMeanOne(shape: number): number {
    if (shape < 1) {
      const boosted = this.gammaMeanOne(shape + 1) * (shape + 1);
      return (boosted * Math.exp(Math.log(1 - this.uniform()) / shape)) / shape;
    }
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const root = 1 + c * x;
      if (root <= 0) continue;
      const v = root * root * root;
      const u = 1 - this.uniform();
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return (d * v) / shape;
    }
  }

  /** A positive factor with mean 1 and the given squared coefficient of variation (0: always 1). */
  factor(squaredVariation: number): number {
    return squaredVariation <= 0 ? 1 : this.gammaMeanOne(1 / squaredVariation);
  }

  poisson(mean: number): number {
    if (mean <= 0) return 0;
    if (mean > 400) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    let count = 0;
    let left = mean;
    // In pieces of at most 20, so that exp(-mean) stays far from the smallest number.
    while (left > 0) {
      const piece = Math.min(left, 20);
      left -= piece;
      const limit = Math.exp(-piece);
      let product = 1 - this.uniform();
      while (product > limit) {
        count++;
        product *= 1 - this.uniform();
      }
    }
    return count;
  }

  /** Number of trials up to the first success: at least 1, with the given mean. */
  geometric(mean: number): number {
    if (mean <= 1) return 1;
    return 1 + Math.floor(Math.log(1 - this.uniform()) / Math.log(1 - 1 / mean));
  }

  /** `count` different items, in random order (all of them where there are fewer). */
  sample<T>(items: readonly T[], count: number): T[] {
    const copy = items.slice();
    const wanted = Math.min(count, copy.length);
    for (let index = 0; index < wanted; index++) {
      const other = this.integer(index, copy.length - 1);
      const held = copy[index];
      copy[index] = copy[other];
      copy[other] = held;
    }
    copy.length = wanted;
    return copy;
  }

  shuffle<T>(items: readonly T[]): T[] {
    return this.sample(items, items.length);
  }

  /** A version-4 shaped GUID with dashes. */
  guid(): string {
    const hex = (word: number): string => word.toString(16).padStart(8, '0');
    const first = hex(this.word());
    const second = hex(this.word());
    const third = hex(this.word());
    const fourth = hex(this.word());
    return `${first}-${second.slice(0, 4)}-4${second.slice(5)}-a${third.slice(1, 4)}-${third.slice(4)}${fourth}`;
  }
}

/** Draws indices with given weights in constant time (Walker's alias method). */
export class WeightedChoice {
  private readonly threshold: Float64Array;
  private readonly alias: Int32Array;

  constructor(weights: readonly number[]) {
    const size = weights.length;
    let total = 0;
    for (const weight of weights) total += weight;
    this.threshold = new Float64Array(size);
    this.alias = new Int32Array(size);
    const scaled = weights.map((weight) => (weight * size) / total);
    const small: number[] = [];
    const large: number[] = [];
    for (let index = 0; index < size; index++) (scaled[index] < 1 ? small : large).push(index);
    while (small.length > 0 && large.length > 0) {
      const low = small.pop() as number;
      const high = large[large.length - 1];
      this.threshold[low] = scaled[low];
      this.alias[low] = high;
      scaled[high] -= 1 - scaled[low];
      if (scaled[high] < 1) small.push(large.pop() as number);
    }
    for (const index of [...small, ...large]) {
      this.threshold[index] = 1;
      this.alias[index] = index;
    }
  }

  draw(random: Random): number {
    const position = random.uniform() * this.threshold.length;
    const index = Math.floor(position);
    return position - index < this.threshold[index] ? index : this.alias[index];
  }
}
