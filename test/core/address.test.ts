import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressReader } from '../../src/core/address.ts';
import { KeyedHash } from '../../src/core/hash.ts';
import { SENDER_ADDRESS, SENDER_NULL, SENDER_SRS, SENDER_SYSTEM } from '../../src/core/record.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const KINDS: Record<number, string> = {
  [SENDER_ADDRESS]: 'address',
  [SENDER_NULL]: 'null',
  [SENDER_SYSTEM]: 'system',
  [SENDER_SRS]: 'srs',
};

function read(role: 'sender' | 'recipient', text: string): string {
  const hash = new KeyedHash('contoso');
  const reader = new AddressReader(hash);
  const cell = encoder.encode(`"${text}"`);
  if (!reader[role](cell, 1, cell.length - 1)) return 'refused';
  const address = reader.text();
  const domain = decoder.decode(reader.bytes.subarray(reader.domainStart, reader.end));
  if (address !== '') {
    hash.text(address);
    expect([reader.lo, reader.hi]).toEqual([hash.lo, hash.hi]);
  }
  return `${KINDS[reader.kind]} ${address} ${domain}`;
}

describe('senders', () => {
  it.each([
    ['promo@fabrikam.example', 'address promo@fabrikam.example fabrikam.example'],
    [' <Promo@Fabrikam.EXAMPLE> ', 'address promo@fabrikam.example fabrikam.example'],
    ['promo@fabrikam.example.', 'address promo@fabrikam.example fabrikam.example'],
    ['a@b@c.example', 'address a@b@c.example c.example'],
    ['"ann @ home"@contoso.com', 'address "ann @ home"@contoso.com contoso.com'],
    ['', 'null  '],
    ['<>', 'null  '],
    [' < > ', 'null  '],
    ['postmaster@contoso.com', 'system postmaster@contoso.com contoso.com'],
    ['POSTMASTER', 'system postmaster '],
    ['MAILER-DAEMON@mx.example', 'system mailer-daemon@mx.example mx.example'],
    ['postmasters@contoso.com', 'address postmasters@contoso.com contoso.com'],
    [
      'MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.com',
      'system microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@contoso.com contoso.com',
    ],
    ['journal@contoso.com', 'system journal@contoso.com contoso.com'],
    ['journalist@contoso.com', 'address journalist@contoso.com contoso.com'],
    ['user@[192.0.2.1]', 'address user@[192.0.2.1] [192.0.2.1]'],
    ['root', 'address root '],
  ])('%s', (text, expected) => {
    expect(read('sender', text)).toBe(expected);
  });

  it('knows X.500 and IMCEA senders', () => {
    const x500 = '/O=First Organization/OU=Exchange Administrative Group (FYDIBOHF23SPDLT)/CN=ann';
    expect(read('sender', x500)).toBe(`address ${x500.toLowerCase()} `);
    expect(read('sender', 'IMCEAEX-_o=contoso_cn=ann@contoso.com')).toBe(
      'address imceaex-_o=contoso_cn=ann@contoso.com contoso.com',
    );
  });

  it.each([
    'Microsoft.PowerShell.Commands.Internal.Format.FormatStartData text',
    'Ann Smith',
    'Ann Smith <ann@contoso.com>',
    'ann@',
    '@contoso.com',
    'ann@con toso.com',
    '"ann x"@con toso.com',
    'ann\u0000@contoso.com',
    'ann\n@contoso.com',
    'Änn Smith',
    'änn\u0085@contoso.com',
    'x'.repeat(3000),
  ])('refuses %j', (text) => {
    expect(read('sender', text)).toBe('refused');
  });
});

describe('recipients', () => {
  it('need a domain', () => {
    expect(read('recipient', 'Ann@Victim.Example')).toBe('address ann@victim.example victim.example');
    for (const text of ['', '<>', 'ann', '/o=first/cn=ann', 'ann@']) expect(read('recipient', text)).toBe('refused');
  });

  it('are neither system names nor rewritten senders', () => {
    expect(read('recipient', 'postmaster@contoso.com')).toBe('address postmaster@contoso.com contoso.com');
    expect(read('recipient', 'bounces+SRS=HnE87=C7@contoso.com')).toBe(
      'address bounces+srs=hne87=c7@contoso.com contoso.com',
    );
  });
});

describe('addresses of any ASCII', () => {
  /** The rules for recipients, one character after the other. */
  function expected(text: string): string {
    const address = text
      .replace(/^[\0- <]+|[\0- >]+$/g, '')
      .replace(/(?<=@[^@]*)\.+$/, '')
      .toLowerCase();
    const at = address.lastIndexOf('@');
    const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
    const isBlankAllowed = local.startsWith('/') || (local.startsWith('"') && local.endsWith('"'));
    if (at < 1 || domain === '' || /[\0-\x08\x0a-\x1f\x7f]/.test(address) || /[ \t]/.test(domain)) return 'refused';
    return /[ \t]/.test(local) && !isBlankAllowed ? 'refused' : `address ${address} ${domain}`;
  }

  it('follow the rules at every place', () => {
    for (let code = 0; code < 128; code++) {
      for (let place = 0; place < 24; place++) {
        const text = 'a.user_name@victim.example'.split('').with(place, String.fromCharCode(code)).join('');
        expect(read('recipient', text), JSON.stringify(text)).toBe(expected(text));
      }
    }
  });

  it('follow the rules in any mixture', () => {
    const seed = Math.floor(Math.random() * 1e9);
    const character = fc.oneof(
      fc.constantFrom('@', '.', '"', ' ', '/', 'A', 'z', '_', '<', '>'),
      fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)),
    );
    fc.assert(
      fc.property(fc.array(character, { maxLength: 20 }), (characters) => {
        expect(read('recipient', characters.join('')), `seed ${seed}`).toBe(expected(characters.join('')));
      }),
      { seed, numRuns: 5000 },
    );
  });
});

describe('international addresses', () => {
  it('makes Unicode and punycode spellings one domain', () => {
    const expected = 'address ann@xn--mnchen-3ya.example xn--mnchen-3ya.example';
    expect(read('recipient', 'ann@münchen.example')).toBe(expected);
    expect(read('recipient', 'ANN@MÜNCHEN.EXAMPLE.')).toBe(expected);
    expect(read('recipient', 'ann@mu\u0308nchen.example')).toBe(expected);
    expect(read('recipient', 'ann@XN--MNCHEN-3YA.example')).toBe(expected);
    expect(read('recipient', 'ann@münchen\u3002example')).toBe(expected);
  });

  it('lower-cases and composes local parts', () => {
    expect(read('sender', 'JÜRGEN@contoso.com')).toBe('address jürgen@contoso.com contoso.com');
    expect(read('sender', 'ju\u0308rgen@contoso.com')).toBe('address jürgen@contoso.com contoso.com');
  });

  it('keeps domains that IDNA refuses apart by their spelling', () => {
    expect(read('sender', 'a@\u2260\u0338_%.example')).toMatch(/^address a@/);
    expect(read('sender', 'a@é%.example')).not.toBe(read('sender', 'a@è%.example'));
  });
});

describe('sender rewriting (SRS)', () => {
  it.each([
    ['john.work+SRS=44ldt=IX=fabrikam.com=bob@contoso.com', 'srs john.work@contoso.com contoso.com'],
    ['John.Work+srs=44ldt=IX=fabrikam.com=bob=x@Contoso.com', 'srs john.work@contoso.com contoso.com'],
    ['bounces+SRS=HnE87=C7@amdcloud.onmicrosoft.com', 'srs bounces@amdcloud.onmicrosoft.com amdcloud.onmicrosoft.com'],
    ['SRS=44ldt=IX=fabrikam.com=bob@contoso.com', 'srs srs@contoso.com contoso.com'],
    ['a+b+SRS=44ldt=IX=fabrikam.com=bob@contoso.com', 'srs a+b@contoso.com contoso.com'],
  ])('%s', (text, expected) => {
    expect(read('sender', text)).toBe(expected);
  });

  it.each([
    'john+SRS=44ld=IX=fabrikam.com=bob@contoso.com',
    'john+SRS=44ldt=IXX=fabrikam.com=bob@contoso.com',
    'john+SRS=44ldt=IX=fabrikam.com@contoso.com',
    'john+SRS=44ldt=IX==bob@contoso.com',
    'johnSRS=44ldt=IX=fabrikam.com=bob@contoso.com',
    '+SRS=44ldt=IX=fabrikam.com=bob@contoso.com',
    'SRS0=HHH=TT=fabrikam.com=bob@forwarder.example',
    'bounce-ann=victim.example@news.example',
  ])('leaves %s alone', (text) => {
    expect(read('sender', text)).toBe(`address ${text.toLowerCase()} ${text.slice(text.lastIndexOf('@') + 1)}`);
  });

  it('agrees with the documented expression', () => {
    const expression = /^(?:(.+)\+)?SRS=([^=]{5})=([^=]{2})(?:=([^=]+)=(.+))?@(.+)$/i;
    const pieces = ['a', '+', 'srs=', '=', 'abcde', 'ix', 'x.y', '+srs=abcde=ix', '+srs=abcde=ix=d=l'];
    let state = 7;
    let matched = 0;
    for (let run = 0; run < 20_000; run++) {
      let local = '';
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      for (let i = 0; i <= (state >>> 8) % 5; i++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        local += pieces[(state >>> 8) % pieces.length];
      }
      const match = expression.exec(`${local}@contoso.com`);
      if (match !== null) matched++;
      const expected = match === null ? `address ${local}@contoso.com` : `srs ${match[1] ?? 'srs'}@contoso.com`;
      expect(read('sender', `${local}@contoso.com`)).toBe(`${expected} contoso.com`);
    }
    expect(matched).toBeGreaterThan(500);
  });
});
