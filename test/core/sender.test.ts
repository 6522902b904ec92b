import { describe, expect, test } from 'vitest';
import { SENDER_ADDRESS, SENDER_NULL, SENDER_SRS, SENDER_SYSTEM } from '../../src/core/record.ts';
import { rewrittenSender, senderStatus } from '../../src/core/sender.ts';
import { DOMAIN_ACCEPTED, DOMAIN_EXTERNAL, DOMAIN_SUBDOMAIN } from '../../src/core/tenant.ts';

describe('status of a sender', () => {
  test.each([
    [SENDER_NULL, false, DOMAIN_EXTERNAL, 'null_sender'],
    [SENDER_ADDRESS, false, DOMAIN_EXTERNAL, null],
    [SENDER_ADDRESS, true, DOMAIN_ACCEPTED, 'accepted'],
    [SENDER_ADDRESS, true, DOMAIN_SUBDOMAIN, 'subdomain_of_accepted'],
    [SENDER_ADDRESS, true, DOMAIN_EXTERNAL, 'unregistered'],
    [SENDER_SYSTEM, true, DOMAIN_ACCEPTED, 'system'],
    [SENDER_SYSTEM, true, DOMAIN_EXTERNAL, 'unregistered'],
    [SENDER_SYSTEM, true, DOMAIN_SUBDOMAIN, 'subdomain_of_accepted'],
    [SENDER_SRS, true, DOMAIN_ACCEPTED, 'srs_rewritten'],
    [SENDER_SRS, true, DOMAIN_EXTERNAL, 'unregistered'],
  ])('of kind %i, with a domain %j of class %i is %j', (kind, hasDomain, domainClass, status) => {
    expect(senderStatus(kind, hasDomain, domainClass)).toBe(status);
  });
});

describe('the sender behind a rewritten address', () => {
  test.each([
    ['john+SRS=44ldt=IX=fabrikam.com=Bob@contoso.com', 'bob@fabrikam.com'],
    [' <John+srs=44ldt=IX=Fabrikam.COM=bob@contoso.com>', 'bob@fabrikam.com'],
    ['SRS=44ldt=IX=fabrikam.com=bob=x@contoso.com', 'bob=x@fabrikam.com'],
    ['john+SRS=44ldt=IX=m\u00fcller.example=bob@contoso.com', 'bob@xn--mller-kva.example'],
    ['bounces+SRS=44ldt=IX@contoso.com', null],
    ['john@contoso.com', null],
    ['', null],
  ])('%j is %j', (address, sender) => {
    expect(rewrittenSender(address)).toBe(sender);
  });

  test('is looked for in linear time', () => {
    const started = performance.now();
    rewrittenSender('+srs=aaaaa=bb='.repeat(100_000));
    expect(performance.now() - started).toBeLessThan(500);
  });
});
