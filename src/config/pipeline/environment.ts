/** `${NAME}` and `${NAME:-default}` in the texts of a pipeline file. */

/** Values by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Variable {
  name: string;
  /** Null without `:-`. */
  fallback: string | null;
}

export interface Substitution {
  text: string;
  variables: Variable[];
  /** Names that are not set and have no default. */
  unset: string[];
  /** A `${…}` that is no reference, as written; null where all are. */
  malformed: string | null;
}

/** `$${` is a literal `${`. */
const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]{0,127})(?::-(.*))?$/s;

/**
 * Puts values in the place of references; as in a shell, `:-` stands in for an empty value too. What a
 * value holds is not looked at again: no reference comes out of the environment.
 */
export function substitute(text: string, environment: Environment): Substitution {
  const found: Substitution = { text, variables: [], unset: [], malformed: null };
  found.text = text.replace(REFERENCE, (reference: string, inside: string | undefined) => {
    if (reference === '$${') return '${';
    const parts = reference.endsWith('}') ? INSIDE.exec(inside ?? '') : null;
    if (parts === null) {
      found.malformed ??= reference;
      return reference;
    }
    const [, name, fallback = null] = parts;
    found.variables.push({ name, fallback });
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (fallback !== null) return value || fallback;
    if (value === undefined) found.unset.push(name);
    return value ?? '';
  });
  return found;
}
