import { describe, expect, it } from 'vitest';
import { AcceptedDomains, expandAcceptedDomains, initialDomainLabel } from '../../src/core/accepted-domains.ts';

const exact = (name: string) => ({ name, matchSubDomains: false });
const names = (list: { name: string }[]) => list.map((entry) => entry.name);

describe('accepted domains', () => {
  it('matches exactly, and below an entry only where that entry matches sub-domains', () => {
    const domains = new AcceptedDomains([exact('contoso.com'), { name: 'fabrikam.com', matchSubDomains: true }]);
    expect(domains.isAccepted('contoso.com')).toBe(true);
    expect(domains.isAccepted('mail.contoso.com')).toBe(false);
    expect(domains.subdomainOfAccepted('mail.contoso.com')).toBe(true);
    expect(domains.subdomainOfAccepted('a.b.contoso.com')).toBe(true);
    expect(domains.isAccepted('fabrikam.com')).toBe(true);
    expect(domains.isAccepted('a.b.fabrikam.com')).toBe(true);
    expect(domains.subdomainOfAccepted('a.b.fabrikam.com')).toBe(false);
    expect(domains.subdomainOfAccepted('contoso.com')).toBe(false);
  });

  it('is not fooled by a name that only ends alike', () => {
    const domains = new AcceptedDomains([{ name: 'contoso.com', matchSubDomains: true }]);
    expect(domains.isAccepted('evilcontoso.com')).toBe(false);
    expect(domains.subdomainOfAccepted('evilcontoso.com')).toBe(false);
    expect(domains.isAccepted('contoso.com.evil.example')).toBe(false);
    expect(domains.isAccepted('')).toBe(false);
  });

  it('has no recursion or backtracking to exhaust', () => {
    const domains = new AcceptedDomains([exact('contoso.com')]);
    expect(domains.isAccepted(`${'a.'.repeat(100_000)}com`)).toBe(false);
  });
});

describe('the domains every tenant owns', () => {
  it('come from the list, in both directions', () => {
    expect(names(expandAcceptedDomains([exact('contoso.onmicrosoft.com')], [], 'default'))).toEqual([
      'contoso.mail.onmicrosoft.com',
      'contoso.onmicrosoft.com',
    ]);
    expect(names(expandAcceptedDomains([exact('contoso.mail.onmicrosoft.com')], [], 'default'))).toEqual([
      'contoso.mail.onmicrosoft.com',
      'contoso.onmicrosoft.com',
    ]);
  });

  it('come from the organisation column and from the tenant name', () => {
    const list = [exact('contoso.com')];
    const both = ['contoso.com', 'contoso.mail.onmicrosoft.com', 'contoso.onmicrosoft.com'];
    expect(names(expandAcceptedDomains(list, ['Contoso.onmicrosoft.com'], 'default'))).toEqual(both);
    expect(names(expandAcceptedDomains(list, [], 'contoso'))).toEqual(both);
    expect(names(expandAcceptedDomains(list, [], 'contoso.onmicrosoft.com'))).toEqual(both);
  });

  it('do not come from the default tenant key, a GUID-like organisation or a free text', () => {
    const list = [exact('contoso.com')];
    expect(names(expandAcceptedDomains(list, ['Contoso Ltd'], 'default'))).toEqual(['contoso.com']);
    expect(names(expandAcceptedDomains(list, ['mail.onmicrosoft.com'], 'contoso.com'))).toEqual(['contoso.com']);
    expect(names(expandAcceptedDomains(list, [], 'Contoso Europe'))).toEqual(['contoso.com']);
    const id = '39238e87-b5ab-4ef6-a559-af54c6b07b42';
    expect(names(expandAcceptedDomains(list, [id], id))).toEqual(['contoso.com']);
  });

  it('never include those of somebody else', () => {
    const domains = new AcceptedDomains(expandAcceptedDomains([exact('contoso.onmicrosoft.com')], [], 'default'));
    expect(domains.isAccepted('contoso.mail.onmicrosoft.com')).toBe(true);
    expect(domains.isAccepted('fabrikam.onmicrosoft.com')).toBe(false);
    expect(domains.subdomainOfAccepted('fabrikam.onmicrosoft.com')).toBe(false);
  });

  it('know their label', () => {
    expect(initialDomainLabel('contoso.onmicrosoft.com')).toBe('contoso');
    expect(initialDomainLabel('contoso.mail.onmicrosoft.com')).toBe('contoso');
    expect(initialDomainLabel('a.b.onmicrosoft.com')).toBe(null);
    expect(initialDomainLabel('onmicrosoft.com')).toBe(null);
  });

  it('keep the wider of two entries of one name, ordered by name', () => {
    const list = [{ name: 'b.example', matchSubDomains: true }, exact('a.example'), exact('b.example')];
    expect(expandAcceptedDomains(list, [], 'default')).toEqual([
      { name: 'a.example', matchSubDomains: false },
      { name: 'b.example', matchSubDomains: true },
    ]);
  });
});
