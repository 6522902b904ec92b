import { describe, expect, it } from 'vitest';
import type { AllowEntry } from '../../../src/core/feedback.ts';
import { ALLOWED_RECIPIENTS, type AllowedRow, AllowList } from '../../../src/core/walk/allow-list.ts';
import { MONDAY, Pairs, TENANT } from '../pairs.ts';

const NOTHING: AllowEntry = {
  domain: null,
  mailbox: null,
  connector: null,
  address: null,
  owner: 'ann',
  reason: 'ours',
  expiresMs: null,
};

interface Sent {
  sender?: string;
  fromIp?: string;
  connector?: string;
  isRefused?: boolean;
  isKnownWayIn?: boolean;
}

class Subject {
  readonly pairs = new Pairs();
  readonly list: AllowList;

  constructor(entries: readonly Partial<AllowEntry>[], budget: number | null = null) {
    this.list = new AllowList(
      entries.map((entry) => ({ ...NOTHING, ...entry })),
      TENANT,
      this.pairs.ids,
      budget,
    );
  }

  hides(sent: Sent, timeMs = MONDAY): boolean {
    const { sender = 'a@shop.example', fromIp, connector, isRefused = false, isKnownWayIn = true } = sent;
    const domain = this.pairs.domains.internText(sender.slice(sender.indexOf('@') + 1));
    const record = this.pairs.record({ time: timeMs, sender, recipient: 'b@c.example' });
    const row: AllowedRow = {
      domain,
      connector: connector === undefined ? 0 : this.pairs.connectors.internText(connector),
      source: fromIp === undefined ? 0 : this.pairs.sources.internText(fromIp),
      senderLo: record.words[8],
      senderHi: record.words[9],
      isRefused,
      isKnownWayIn,
    };
    return this.list.hides(row, timeMs);
  }
}

describe('an entry of the allow-list', () => {
  it.each<[string, Partial<AllowEntry>, Sent, Sent]>([
    ['a domain', { domain: 'shop.example' }, { sender: 'x@shop.example' }, { sender: 'x@mail.shop.example' }],
    ['a mailbox', { mailbox: 'news@contoso.com' }, { sender: 'News@Contoso.com' }, { sender: 'new@contoso.com' }],
    ['a connector', { connector: 'From DC1' }, { connector: 'from dc1' }, { connector: 'From DC11' }],
    ['an address', { address: '192.0.2.7' }, { fromIp: '192.0.2.7' }, { fromIp: '192.0.2.70' }],
    ['a network', { address: '192.0.2.0/25' }, { fromIp: '192.0.2.127' }, { fromIp: '192.0.2.128' }],
    ['a network of IPv6', { address: '2001:db8:7::/48' }, { fromIp: '2001:db8:7:9::1' }, { fromIp: '2001:db8:8::1' }],
  ])('names %s, and nothing else', (_, entry, hidden, shown) => {
    const subject = new Subject([entry]);
    expect(subject.hides(hidden)).toBe(true);
    expect(subject.hides(shown)).toBe(false);
    expect(subject.hides({ sender: 'x@other.example' })).toBe(false);
  });

  it('never matches a row that lacks what it names', () => {
    for (const entry of [{ connector: 'x' }, { address: '0.0.0.0/0' }, { address: '::/0' }]) {
      expect(new Subject([entry]).hides({})).toBe(false);
    }
    // IPv4 is in no network of IPv6.
    expect(new Subject([{ address: '::/0' }]).hides({ fromIp: '192.0.2.7' })).toBe(false);
  });

  it('asks for everything that it names', () => {
    const subject = new Subject([{ domain: 'shop.example', connector: 'DC1', address: '192.0.2.0/24' }]);
    const whole = { sender: 'a@shop.example', connector: 'DC1', fromIp: '192.0.2.9' };
    expect(subject.hides(whole)).toBe(true);
    expect(subject.hides({ ...whole, sender: 'a@other.example' })).toBe(false);
    expect(subject.hides({ ...whole, connector: 'DC2' })).toBe(false);
    expect(subject.hides({ ...whole, fromIp: '192.0.3.9' })).toBe(false);
  });

  it('ends when it expires', () => {
    const subject = new Subject([{ domain: 'shop.example', expiresMs: MONDAY }]);
    expect(subject.hides({}, MONDAY - 1)).toBe(true);
    expect(subject.hides({}, MONDAY)).toBe(false);
  });

  it('hides nothing that comes through a way in that is new', () => {
    const subject = new Subject([{ domain: 'shop.example' }]);
    expect(subject.hides({ isKnownWayIn: false })).toBe(false);
    expect(subject.list.volumes).toEqual([{ recipients: 0, shown: 1 }]);
  });

  it('hides nothing more of a day of which 30 % were refused, from twenty rows on', () => {
    const subject = new Subject([{ domain: 'shop.example' }]);
    const hidden = Array.from({ length: 25 }, (_, index) => subject.hides({ isRefused: index % 3 === 0 }));
    expect(hidden.indexOf(false)).toBe(19);
    expect(hidden.slice(19).every((one) => !one)).toBe(true);
    subject.list.beginDay();
    expect(subject.hides({})).toBe(true);
    const fewer = new Subject([{ domain: 'shop.example' }]);
    expect(Array.from({ length: 100 }, (_, index) => fewer.hides({ isRefused: index % 4 === 3 }))).not.toContain(false);
  });

  it('hides 2,000 recipients a day, or a tenth of what the tenant may send', () => {
    for (const [budget, most] of [
      [null, ALLOWED_RECIPIENTS],
      [10_000, 1000],
    ] as const) {
      const subject = new Subject([{ domain: 'shop.example' }], budget);
      for (let row = 0; row < most; row++) subject.hides({});
      expect(subject.list.volumes).toEqual([{ recipients: most, shown: 0 }]);
      expect(subject.hides({})).toBe(false);
      subject.list.beginDay();
      expect(subject.hides({})).toBe(true);
    }
  });

  it('is the first of those that name a row', () => {
    const subject = new Subject([{ domain: 'shop.example' }, { mailbox: 'a@shop.example' }]);
    subject.hides({});
    expect(subject.list.volumes.map(({ recipients }) => recipients)).toEqual([1, 0]);
  });

  it('goes on from a saved state, unless the list is another one', () => {
    const first = new Subject([{ domain: 'shop.example' }], 100);
    for (let row = 0; row < 10; row++) first.hides({});
    const same = new Subject([{ domain: 'shop.example' }], 100);
    same.list.load(structuredClone(first.list.save()));
    expect(same.hides({})).toBe(false);
    const longer = new Subject([{ domain: 'shop.example' }, { domain: 'x.example' }], 100);
    longer.list.load(structuredClone(first.list.save()));
    expect(longer.hides({})).toBe(true);
  });
});
