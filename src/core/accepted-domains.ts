/**
 * Which domains the tenant has registered. A domain is accepted where the list names it, or below
 * an entry that matches sub-domains; any other domain is external, whoever else owns it.
 *
 * Every name here is lower case and IDNA ASCII; the callers bring it there.
 */

import type { AcceptedDomain } from './settings.ts';

const INITIAL_SUFFIX = '.onmicrosoft.com';
const HYBRID_SUFFIX = '.mail.onmicrosoft.com';
/** A name that can stand before `.onmicrosoft.com`: one label of letters, digits and inner hyphens. */
const TENANT_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** A tenant named by its directory id has no initial domain in its name. */
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** `--tenant` where none was given: names no tenant. */
const NO_TENANT_NAME = 'default';

/**
 * The `X` of `X.onmicrosoft.com` or `X.mail.onmicrosoft.com` (the two domains that every tenant has
 * from its first day, the second one in hybrid set-ups); null for any other name.
 */
export function initialDomainLabel(domain: string): string | null {
  const suffix = domain.endsWith(HYBRID_SUFFIX) ? HYBRID_SUFFIX : INITIAL_SUFFIX;
  if (!domain.endsWith(suffix)) return null;
  const label = domain.slice(0, -suffix.length);
  return TENANT_LABEL.test(label) && label !== 'mail' ? label : null;
}

/**
 * The list with what every tenant owns besides: `X.onmicrosoft.com` and `X.mail.onmicrosoft.com` for
 * each X known from the list, from the organisation column (`X.onmicrosoft.com`) or from `--tenant`
 * (`X` or `X.onmicrosoft.com`). Names occur once, ordered; an entry that matches sub-domains wins.
 */
export function expandAcceptedDomains(
  list: readonly AcceptedDomain[],
  organizationNames: readonly string[],
  tenantKey: string,
): AcceptedDomain[] {
  const subDomains = new Map<string, boolean>();
  for (const { name, matchSubDomains } of list) {
    subDomains.set(name, matchSubDomains || (subDomains.get(name) ?? false));
  }
  const labels = new Set<string>();
  for (const name of [...subDomains.keys(), ...organizationNames.map((name) => name.toLowerCase())]) {
    const label = initialDomainLabel(name);
    if (label !== null) labels.add(label);
  }
  const tenant = tenantKey.toLowerCase();
  const tenantLabel = initialDomainLabel(tenant) ?? (TENANT_LABEL.test(tenant) ? tenant : null);
  if (tenantLabel !== null && tenantLabel !== NO_TENANT_NAME && !GUID.test(tenantLabel)) labels.add(tenantLabel);
  for (const label of labels) {
    for (const name of [label + INITIAL_SUFFIX, label + HYBRID_SUFFIX]) {
      if (!subDomains.has(name)) subDomains.set(name, false);
    }
  }
  return [...subDomains.keys()].sort(byCodeUnit).map((name) => ({ name, matchSubDomains: subDomains.get(name)! }));
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Answers for a domain whether the tenant has registered it. */
export class AcceptedDomains {
  readonly list: readonly AcceptedDomain[];
  readonly #exact = new Set<string>();
  readonly #withSubDomains = new Set<string>();

  constructor(list: readonly AcceptedDomain[]) {
    this.list = list;
    for (const { name, matchSubDomains } of list) {
      this.#exact.add(name);
      if (matchSubDomains) this.#withSubDomains.add(name);
    }
  }

  /** Named in the list, or below an entry that matches sub-domains. */
  isAccepted(domain: string): boolean {
    return this.#exact.has(domain) || this.#hasParent(domain, this.#withSubDomains);
  }

  /** Below an accepted domain whose entry does not match sub-domains: to Microsoft it is not registered. */
  subdomainOfAccepted(domain: string): boolean {
    return !this.isAccepted(domain) && this.#hasParent(domain, this.#exact);
  }

  #hasParent(domain: string, names: ReadonlySet<string>): boolean {
    for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
      if (names.has(domain.slice(dot + 1))) return true;
    }
    return false;
  }
}
