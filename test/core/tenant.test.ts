import { describe, expect, it } from 'vitest';
import { DOMAIN_ACCEPTED, DOMAIN_EXTERNAL, DOMAIN_SUBDOMAIN } from '../../src/core/tenant.ts';
import { Pairs, tenantModelOf } from './pairs.ts';

describe('tenant model', () => {
  const pairs = new Pairs('contoso');
  const tenant = tenantModelOf(pairs, 'contoso', ['contoso.com']);
  const classOf = (name: string) => tenant.domainClass(pairs.domains.internText(name));

  it('tells domains apart', () => {
    expect(classOf('contoso.com')).toBe(DOMAIN_ACCEPTED);
    expect(classOf('contoso.onmicrosoft.com')).toBe(DOMAIN_ACCEPTED);
    expect(classOf('contoso.mail.onmicrosoft.com')).toBe(DOMAIN_ACCEPTED);
    expect(classOf('mail.contoso.com')).toBe(DOMAIN_SUBDOMAIN);
    expect(classOf('notcontoso.com')).toBe(DOMAIN_EXTERNAL);
    expect(classOf('fabrikam.onmicrosoft.com')).toBe(DOMAIN_EXTERNAL);
    expect(classOf('com')).toBe(DOMAIN_EXTERNAL);
    expect(tenant.domainClass(0)).toBe(DOMAIN_EXTERNAL);
  });

  it('knows its own onmicrosoft.com domains', () => {
    const own = (name: string) => tenant.isOnMicrosoft(pairs.domains.internText(name));
    expect(own('contoso.onmicrosoft.com')).toBe(true);
    expect(own('contoso.mail.onmicrosoft.com')).toBe(true);
    expect(own('contoso.com')).toBe(false);
    expect(own('fabrikam.onmicrosoft.com')).toBe(false);
    expect(tenant.isOnMicrosoft(0)).toBe(false);
  });

  it('answers for any number of domains, the same every time', () => {
    for (let index = 0; index < 5000; index++) {
      const id = pairs.domains.internText(`d${index}.${index % 2 === 0 ? 'contoso.com' : 'example'}`);
      const expected = index % 2 === 0 ? DOMAIN_SUBDOMAIN : DOMAIN_EXTERNAL;
      expect(tenant.domainClass(id)).toBe(expected);
      expect(tenant.domainClass(id)).toBe(expected);
    }
  });
});
