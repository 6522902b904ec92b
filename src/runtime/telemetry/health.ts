/** Whether a worker lives (its parts make progress) and whether it is ready (its servers answer). */

/** A part that made no progress for longer than it may. */
export interface Stalled {
  component: string;
  idleMs: number;
  stalledAfterMs: number;
}

export interface Readiness {
  component: string;
  isReady: boolean;
  /** For a person. */
  detail: string;
}

export class Health {
  readonly #now: () => number;
  readonly #watched = new Map<string, { stalledAfterMs: number; progressMs: number }>();
  readonly #ready = new Map<string, Readiness>();

  /** `now` is wall time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** From now on the component has to make progress at least this often. */
  watch(component: string, stalledAfterMs: number): void {
    this.#watched.set(component, { stalledAfterMs, progressMs: this.#now() });
  }

  progress(component: string): void {
    const watched = this.#watched.get(component);
    if (watched !== undefined) watched.progressMs = this.#now();
  }

  /** Returns whether the component was in another state before. */
  ready(component: string, isReady: boolean, detail: string): boolean {
    const before = this.#ready.get(component)?.isReady;
    this.#ready.set(component, { component, isReady, detail });
    return before !== isReady;
  }

  stalled(): Stalled[] {
    const nowMs = this.#now();
    return [...this.#watched].flatMap(([component, { stalledAfterMs, progressMs }]) => {
      const idleMs = nowMs - progressMs;
      return idleMs > stalledAfterMs ? [{ component, idleMs, stalledAfterMs }] : [];
    });
  }

  /** Nothing is ready before something has said so. */
  get isReady(): boolean {
    return this.#ready.size > 0 && [...this.#ready.values()].every(({ isReady }) => isReady);
  }

  components(): Readiness[] {
    return [...this.#ready.values()];
  }
}
