/** The tenant model: what the walk asks of a domain's id. */

import { type AcceptedDomains, initialDomainLabel } from './accepted-domains.ts';

export const DOMAIN_EXTERNAL = 0;
export const DOMAIN_ACCEPTED = 1;
/** Below an accepted domain but not covered by the list: counts as unregistered. */
export const DOMAIN_SUBDOMAIN = 2;

/** Texts of dictionary ids. */
export interface IdTexts {
  domain(id: number): string;
  source(id: number): string;
  connector(id: number): string;
}

export class TenantModel {
  readonly #matcher: AcceptedDomains;
  readonly #texts: IdTexts;
  /** 0 is not yet asked; else the domain's class plus 1, plus 4 for an own onmicrosoft.com domain. */
  #classes = new Uint8Array(1024);

  constructor(matcher: AcceptedDomains, texts: IdTexts) {
    this.#matcher = matcher;
    this.#texts = texts;
  }

  /** DOMAIN_EXTERNAL, DOMAIN_ACCEPTED or DOMAIN_SUBDOMAIN; external for no domain at all. */
  domainClass(id: number): number {
    return id === 0 ? DOMAIN_EXTERNAL : (this.#class(id) & 3) - 1;
  }

  /** Whether it is one of the tenant's own `X.onmicrosoft.com` domains. */
  isOnMicrosoft(id: number): boolean {
    return id !== 0 && (this.#class(id) & 4) !== 0;
  }

  #class(id: number): number {
    if (id >= this.#classes.length) {
      const classes = new Uint8Array(Math.max(id + 1, this.#classes.length * 2));
      classes.set(this.#classes);
      this.#classes = classes;
    }
    if (this.#classes[id] === 0) {
      const domain = this.#texts.domain(id);
      let value = DOMAIN_EXTERNAL + 1;
      if (this.#matcher.isAccepted(domain)) value = DOMAIN_ACCEPTED + 1 + (initialDomainLabel(domain) === null ? 0 : 4);
      else if (this.#matcher.subdomainOfAccepted(domain)) value = DOMAIN_SUBDOMAIN + 1;
      this.#classes[id] = value;
    }
    return this.#classes[id];
  }
}
