/** Secrets of a pipeline: values that no message, log or dump shows. */

import { inspect } from 'node:util';

const SHOWN = '[redacted]';

/** A password, a token or a key. However it is printed, it shows `[redacted]`; `reveal` is the one way to its text. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for the client that needs it, never for a message. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}

/** A value with every Secret in it replaced by its text. */
export type Revealed<T> = T extends Secret
  ? string
  : T extends readonly (infer Element)[]
    ? Revealed<Element>[]
    : T extends object
      ? { [Key in keyof T]: Revealed<T[Key]> }
      : T;

/** The settings as an adapter takes them, with the texts of their secrets: to be handed on, not to be kept. */
export function revealSecrets<T>(value: T): Revealed<T> {
  if (value instanceof Secret) return value.reveal() as Revealed<T>;
  if (Array.isArray(value)) return value.map(revealSecrets) as Revealed<T>;
  if (typeof value !== 'object' || value === null) return value as Revealed<T>;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revealSecrets(inner)])) as Revealed<T>;
}
