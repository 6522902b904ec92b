import { describe, expect, it } from 'vitest';
import { nameOf, parseAllowList, readAllowList } from '../../src/config/allow-list.ts';

const NOW = Date.UTC(2026, 8, 6);
const parse = (yaml: string | Uint8Array) => parseAllowList('allow.yaml', Buffer.from(yaml), NOW);
const WHO = 'owner: ann@contoso.com\n  reason: invoices\n';
const places = (yaml: string | Uint8Array) =>
  parse(yaml).problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);

describe('an allow-list', () => {
  it('names domains, mailboxes, connectors, addresses and networks', () => {
    const { entries, problems } = parse(`
- domain: Billing.Example
  address: 192.0.2.0/24
  owner: finance@contoso.com
  reason: invoices of the billing service
  expires: 2027-01-01
- mailbox: News@Bücher.example
  connector: Inbound from DC1
  address: 2001:db8::/48
  owner: ann
  reason: newsletter
  expires: 2027-01-01T08:00:00+02:00
- { address: 198.51.100.7, owner: ann, reason: scanner }
`);
    expect(problems).toEqual([]);
    const nothing = { domain: null, mailbox: null, connector: null, address: null, expiresMs: null };
    expect(entries).toEqual([
      {
        ...nothing,
        domain: 'billing.example',
        address: '192.0.2.0/24',
        owner: 'finance@contoso.com',
        reason: 'invoices of the billing service',
        expiresMs: Date.UTC(2027, 0, 1),
      },
      {
        ...nothing,
        mailbox: 'news@xn--bcher-kva.example',
        connector: 'Inbound from DC1',
        address: '2001:db8::/48',
        owner: 'ann',
        reason: 'newsletter',
        expiresMs: Date.UTC(2027, 0, 1, 6),
      },
      { ...nothing, address: '198.51.100.7', owner: 'ann', reason: 'scanner' },
    ]);
    expect(entries.map(nameOf)).toEqual([
      'billing.example + 192.0.2.0/24',
      'news@xn--bcher-kva.example + Inbound from DC1 + 2001:db8::/48',
      '198.51.100.7',
    ]);
  });

  it('may be empty, or hold comments alone', () => {
    for (const yaml of ['', '\n', '# nobody yet\n', '[]\n']) expect(parse(yaml)).toEqual({ entries: [], problems: [] });
  });

  it('takes texts as they stand: nothing comes from the environment', () => {
    const { entries } = parse(`- connector: "\${PATH} \${"\n  ${WHO}`);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that is none here
    expect(entries[0].connector).toBe('${PATH} ${');
  });
});

describe('expiry', () => {
  const expiring = (expires: string) => parse(`- domain: billing.example\n  expires: ${expires}\n  ${WHO}`);

  it('is told where it has passed; older rows are still hidden', () => {
    const { entries, problems } = expiring('2026-09-06');
    expect(entries[0].expiresMs).toBe(NOW);
    expect(problems).toMatchObject([{ line: 2, path: '[0].expires', severity: 'warning' }]);
    expect(problems[0].message).toBe(
      'has passed: mail of billing.example counts again since then; ask ann@contoso.com, or take the entry out',
    );
  });

  it('is told two weeks before', () => {
    expect(expiring('2026-09-07').problems[0].message).toMatch(/^is in a day: from then on mail of billing\.example/);
    expect(expiring('2026-09-20').problems[0].message).toMatch(/^is in 14 days: /);
    expect(expiring('2026-09-21').problems).toEqual([]);
  });
});

describe('what is no entry', () => {
  it.each([
    ['nothing to match', `- ${WHO}`, '1 [0]: needs domain, mailbox, connector or address: it would allow all mail'],
    ['no owner', '- domain: a.example\n  reason: x\n', '1 [0].owner: is missing'],
    ['no reason', '- domain: a.example\n  owner: x\n', '1 [0].reason: is missing'],
    ['an empty reason', '- domain: a.example\n  owner: x\n  reason: ""\n', '3 [0].reason: is empty'],
    ['a number', `- connector: 7\n  ${WHO}`, '1 [0].connector: must be text'],
    ['no domain', `- domain: a b\n  ${WHO}`, '1 [0].domain: must be one sender domain, such as billing.example'],
    ['all domains below one', `- domain: "*.a.example"\n  ${WHO}`, '1 [0].domain: must be one sender domain'],
    ['an address for a domain', `- domain: 192.0.2.1\n  ${WHO}`, '1 [0].domain: must be one sender domain'],
    ['a domain for a mailbox', `- mailbox: a.example\n  ${WHO}`, '1 [0].mailbox: must be a mail address'],
    ['an address in octal', `- address: 010.0.0.1\n  ${WHO}`, '1 [0].address: must be an IP address, or a network'],
    ['a short address', `- address: "10.1"\n  ${WHO}`, '1 [0].address: must be an IP address'],
    ['an address with a zone', `- address: fe80::1%eth0\n  ${WHO}`, '1 [0].address: must be an IP address'],
    ['33 bits', `- address: 192.0.2.0/33\n  ${WHO}`, '1 [0].address: must be an IP address'],
    ['no bits', `- address: 192.0.2.0/\n  ${WHO}`, '1 [0].address: must be an IP address'],
    ['the Internet', `- address: 0.0.0.0/0\n  ${WHO}`, '1 [0].address: is too wide: a network has at least /8'],
    ['the other Internet', `- address: "::/0"\n  ${WHO}`, '1 [0].address: is too wide: a network has at least /16'],
    ['no day', `- domain: a.example\n  expires: 2027-02-30\n  ${WHO}`, '2 [0].expires: must be a day, such as'],
    [
      'a time without zone',
      `- domain: a.example\n  expires: 2027-02-03T08:00\n  ${WHO}`,
      '2 [0].expires: must be a day',
    ],
    ['a key that there is not', `- domian: a.example\n  ${WHO}`, '1 [0].domian: there is no such key'],
    ['a key of the language', `- __proto__: {owner: x}\n  domain: a.example\n  ${WHO}`, '1 [0].__proto__: there is no'],
    ['the same key twice', `- domain: a.example\n  domain: b.example\n  ${WHO}`, '2 domain: this key stands twice'],
    ['one entry without a list', `domain: a.example\nowner: x\nreason: y\n`, '1 : must be a list'],
    ['a text', 'a.example, b.example\n', '1 : must be a list'],
    ['a tag', `- domain: !!js/function a\n  ${WHO}`, '1 : has a tag'],
    ['a tab', '- domain: a.example\n\towner: x\n', '2 : is indented with a tab; use blanks'],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x2d, 0x00]), '1 : is not UTF-8 text; save it as UTF-8'],
  ])('%s', (_, yaml, expected) => {
    const found = places(yaml);
    expect(
      found.some((one) => one.startsWith(expected)),
      found.join('\n'),
    ).toBe(true);
    expect(parse(yaml).entries).toEqual([]);
  });

  it('names the key that was meant', () => {
    expect(parse(`- domian: a.example\n  ${WHO}`).problems[0]).toMatchObject({ nearest: 'domain' });
  });

  it('is found by its line among others', () => {
    const good = `- domain: a.example\n  ${WHO}`;
    expect(places(`${good}${good}- domain: a.example\n  owner: x\n`)).toEqual(['7 [2].reason: is missing']);
  });

  it('costs bounded time and memory, whatever it holds', () => {
    const began = performance.now();
    const anchors = [
      'a0: &a0 [x, x]',
      ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
    ];
    expect(places(`${anchors.join('\n')}\n`)[0]).toMatch(/repeats anchors more than 32 times/);
    expect(places('['.repeat(500_000))[0]).toMatch(/is nested deeper than 32 levels/);
    expect(places('- x\n'.repeat(400_000))[0]).toMatch(/is larger than 1024 KiB/);
    expect(places(`- domain: a.example\n  ${WHO}`.repeat(1_001))[0]).toMatch(/has more than 1000 entries/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe('--allow', () => {
  const read = (yaml: string | null, path = 'allow.yaml') =>
    readAllowList(path, async () => (yaml === null ? null : Buffer.from(yaml)), NOW);

  it('refuses with file, line, field and an example', async () => {
    await expect(read(`- domain: a b\n  ${WHO}- address: x\n  ${WHO}`)).rejects.toMatchObject({
      exitCode: 2,
      message: '--allow allow.yaml:1:11: [0].domain: must be one sender domain, such as billing.example',
      hint: expect.stringMatching(
        /^Also:\nallow\.yaml:4:12: \[1\]\.address: must be an IP address.*\nA list with an entry .*\n {2}- domain: billing/,
      ),
    });
  });

  it.each([
    ['', '--allow has no value'],
    ['-', '--allow cannot be read from stdin'],
    ['gone.yaml', '--allow gone.yaml does not exist'],
  ])('%j is no file', async (path, message) => {
    await expect(read(null, path)).rejects.toMatchObject({ message, exitCode: 2 });
  });
});
