import { describe, expect, it } from 'vitest';
import { CONNECTOR_COMMAND, readConnectors } from '../../src/config/connectors.ts';
import type { Connector } from '../../src/core/connectors.ts';
import { RelaywatchError } from '../../src/core/outcome.ts';

const read = (content: string | Uint8Array) => readConnectors('list.json', async () => Buffer.from(content));
const CREATED = Date.UTC(2026, 8, 5, 15, 2, 11);
const INBOUND: Connector = {
  direction: 'inbound',
  name: 'Inbound from DC1',
  isEnabled: true,
  type: 'OnPremises',
  createdMs: CREATED,
  changedMs: CREATED + 11_000,
  senderDomains: ['*', '*.fabrikam.example'],
  senderAddresses: ['198.51.100.0/24', '2001:db8::25'],
};

/** Names and order as Get-InboundConnector gives them. */
const inbound = {
  Enabled: true,
  ConnectorType: 'OnPremises',
  ConnectorSource: 'HybridWizard',
  Comment: '',
  SenderIPAddresses: ['2001:db8::25', '198.51.100.0/24'],
  SenderDomains: ['smtp:*;1', 'smtp:*.Fabrikam.example;1'],
  RequireTls: true,
  TlsSenderCertificateName: 'mail.contoso.com',
  Name: 'Inbound from DC1',
  Identity: 'Inbound from DC1',
  WhenChanged: `/Date(${CREATED + 11_000})/`,
  WhenCreated: `/Date(${CREATED})/`,
  WhenChangedUTC: `/Date(${CREATED + 11_000})/`,
  WhenCreatedUTC: `/Date(${CREATED})/`,
  Guid: 'F88DBC64-6d11-4fe3-aaca-9e3a6b313ea7',
};
const outbound = {
  Enabled: false,
  UseMXRecord: true,
  ConnectorType: 'Partner',
  RecipientDomains: ['partner.example'],
  SmartHosts: [],
  TlsDomain: null,
  Name: 'To partner',
  WhenCreatedUTC: '2026-07-23T22:55:13.0000000Z',
  WhenChangedUTC: '2026-07-23T22:55:14Z',
};

describe('connectors as JSON', () => {
  it('are read from arrays, single objects and pages', async () => {
    for (const text of [JSON.stringify([inbound]), JSON.stringify(inbound), `{"value":[${JSON.stringify(inbound)}]}`]) {
      expect(await read(text)).toEqual({ connectors: [INBOUND], warnings: [] });
      expect((await read(Buffer.from(`\ufeff${text}`, 'utf16le'))).connectors).toEqual([INBOUND]);
    }
  });

  it('of both directions may lie in one file', async () => {
    const { connectors } = await read(
      JSON.stringify([outbound, inbound, { ...inbound, Name: 'Another', Enabled: 'False' }]),
    );
    expect(connectors.map(({ direction, name, isEnabled }) => [direction, name, isEnabled])).toEqual([
      ['inbound', 'Another', false],
      ['inbound', 'Inbound from DC1', true],
      ['outbound', 'To partner', false],
    ]);
    expect(connectors[2]).toMatchObject({
      createdMs: Date.UTC(2026, 6, 23, 22, 55, 13),
      senderDomains: [],
      senderAddresses: [],
    });
  });

  it('keep the newer of two with one name', async () => {
    const again = {
      ...inbound,
      WhenCreatedUTC: '2026-09-07T00:00:00Z',
      WhenChangedUTC: '2026-09-07T00:00:00Z',
      SenderIPAddresses: [],
    };
    for (const list of [
      [inbound, again],
      [again, inbound],
    ]) {
      const { connectors } = await read(JSON.stringify(list));
      expect(connectors).toMatchObject([{ createdMs: Date.UTC(2026, 8, 7), senderAddresses: [] }]);
    }
  });

  it('may have dates and lists as Windows PowerShell wraps them', async () => {
    const wrapped = {
      ...inbound,
      WhenCreatedUTC: { value: `/Date(${CREATED})/`, DateTime: 'Saturday, September 5, 2026 3:02:11 PM' },
      SenderDomains: { value: inbound.SenderDomains, Count: 2 },
    };
    expect((await read(JSON.stringify([wrapped]))).connectors).toEqual([INBOUND]);
  });

  it('may be none', async () => {
    for (const text of ['[null]', '[]']) {
      const { connectors, warnings } = await read(text);
      expect(connectors).toEqual([]);
      expect(warnings[0]).toContain('it holds no connector');
    }
  });
});

describe('connectors as CSV', () => {
  const header =
    '"Enabled","ConnectorType","ConnectorSource","SenderIPAddresses","SenderDomains","TlsSenderCertificateName","Name","WhenChangedUTC","WhenCreatedUTC","Guid"';
  const line = (...cells: string[]): string => cells.map((cell) => `"${cell}"`).join(',');

  it('have lists that somebody joined', async () => {
    const row = line(
      'True',
      'OnPremises',
      'HybridWizard',
      '198.51.100.0/24, 2001:db8::25',
      'smtp:*.fabrikam.example;1 smtp:*;1',
      'mail.contoso.com',
      'Inbound from DC1',
      '9/5/2026 3:02:22 PM',
      '9/5/2026 3:02:11 PM',
      '',
    );
    const other = line(
      'True',
      'Partner',
      'AdminUI',
      '',
      '',
      '',
      'old',
      '1/31/2026 1:00:00 AM',
      '1/31/2026 1:00:00 AM',
      '',
    );
    const { connectors, warnings } = await read(`#TYPE x\r\n${header}\r\n${row}\r\n${other}\r\n`);
    expect(warnings).toEqual([]);
    expect(connectors[0]).toEqual(INBOUND);
    expect(connectors[1]).toMatchObject({ name: 'old', senderDomains: [], senderAddresses: [] });
  });

  it('whose lists Export-Csv lost still tell names and times', async () => {
    const lost = 'Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.IPRange]';
    const row = line('True', 'OnPremises', '', lost, 'System.String[]', '', 'relay77', '', '2026-09-05 15:02:11', '');
    const { connectors, warnings } = await read(`${header}\n${row}\n`);
    expect(connectors).toMatchObject([
      { name: 'relay77', createdMs: CREATED, changedMs: null, senderDomains: [], senderAddresses: [] },
    ]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('the values of senderdomains, senderipaddresses; they are not known');
    expect(warnings[0]).toContain(CONNECTOR_COMMAND);
  });

  it('leave out times that can be read in two ways, or are of an unknown zone', async () => {
    const row = line('True', 'Partner', '', '', '', '', 'x', '9/5/2026 3:02:22 PM', '9/5/2026 3:02:11 PM', '');
    const { connectors, warnings } = await read(`${header}\n${row}\n`);
    expect(connectors).toMatchObject([{ createdMs: null, changedMs: null }]);
    expect(warnings.join()).toMatch(/the time "9\/5\/2026 3:02:11 PM" cannot be read without doubt/);
    const local = await read(
      'Name,ConnectorType,WhenCreated\nx,Partner,2026-09-05 15:02:11\ny,Partner,2026-09-05T15:02:11+02:00\n',
    );
    expect(local.connectors.map(({ createdMs }) => createdMs)).toEqual([null, CREATED - 7_200_000]);
    expect(local.warnings).toHaveLength(1);
  });
});

describe('other files', () => {
  it.each([
    [
      '{"DomainName":"contoso.com","DomainType":"Authoritative"}',
      'Get-AcceptedDomain; pass it with --accepted-domains',
    ],
    ['Received,SenderAddress,RecipientAddress,MessageTraceId\n1,2,3,4\n', 'a message trace'],
    ['[{"Name":"x","AddressSpaces":["SMTP:*;1"],"SmartHosts":[]}]', 'Get-SendConnector'],
    ['[{"Name":"x","RemoteIPRanges":[]}]', 'Get-ReceiveConnector'],
    ['[{"Name":"x","Severity":"High"}]', 'no column of connectors'],
    ['[{"ConnectorType":"Partner","SmartHosts":[]}]', 'no column Name'],
    ['[1]', 'its JSON holds no objects'],
    ['[{', 'its JSON is broken'],
    ['', 'it is empty'],
    ['Name ConnectorType\n---- -------------\nx    Partner\n', 'Format-Table'],
  ])('are refused: %s', async (text, expected) => {
    const error = await read(text).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RelaywatchError);
    expect(error).toMatchObject({ code: 'connectors', exitCode: 2, message: expect.stringContaining(expected) });
    expect((error as RelaywatchError).hint).toContain('Get-InboundConnector');
  });

  it('are refused where there is none', async () => {
    for (const [path, expected] of [
      ['nope.json', 'does not exist'],
      ['-', 'stdin'],
      ['', 'no value'],
    ] as const) {
      await expect(readConnectors(path, async () => null)).rejects.toThrow(expected);
    }
  });

  it('change no prototype', async () => {
    const { connectors } = await read('[{"Name":"__proto__","ConnectorType":"Partner","__proto__":{"polluted":1}}]');
    expect(connectors[0].name).toBe('__proto__');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
