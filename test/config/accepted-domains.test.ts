import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readReferenceFile } from '../../src/adapters/file/reference-file.ts';
import { readAcceptedDomains } from '../../src/config/accepted-domains.ts';
import { RelaywatchError } from '../../src/core/outcome.ts';

const noFile = async () => null;
const file = (content: string | Uint8Array) => async () =>
  typeof content === 'string' ? Buffer.from(content) : content;
const read = (content: string | Uint8Array) => readAcceptedDomains('list.csv', file(content));
const exact = (...names: string[]) => names.map((name) => ({ name, matchSubDomains: false }));

async function refusal(list: Promise<unknown>): Promise<RelaywatchError> {
  const error = await list.then(
    () => null,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(RelaywatchError);
  const refused = error as RelaywatchError;
  expect(refused.exitCode).toBe(2);
  expect(refused.hint).toContain('Get-AcceptedDomain -ResultSize Unlimited | Export-Csv');
  return refused;
}

function utf16(text: string, options: { bigEndian?: boolean; mark: boolean }): Uint8Array {
  const bytes = Buffer.from((options.mark ? '\ufeff' : '') + text, 'utf16le');
  return options.bigEndian ? bytes.swap16() : bytes;
}

const CSV = [
  '"DomainName","DomainType","MatchSubDomains","Default","SendingFromDomainDisabled"',
  '"contoso.com","Authoritative","False","True","False"',
  '"Fabrikam.com","InternalRelay","True","False","False"',
].join('\r\n');
const EXPECTED = [
  { name: 'contoso.com', matchSubDomains: false },
  { name: 'fabrikam.com', matchSubDomains: true },
];

describe('names on the command line', () => {
  it('are taken in any case and spelling', async () => {
    const { domains, warnings } = await readAcceptedDomains(' Contoso.com, @fabrikam.com,*.tailspin.example.', noFile);
    expect(domains).toEqual([
      ...exact('contoso.com', 'fabrikam.com'),
      { name: 'tailspin.example', matchSubDomains: true },
    ]);
    expect(warnings).toEqual([]);
  });

  it('become IDNA ASCII', async () => {
    expect((await readAcceptedDomains('Bücher.example,xn--bcher-kva.example', noFile)).domains).toEqual(
      exact('xn--bcher-kva.example'),
    );
  });

  it.each([
    'contoso',
    'user@contoso.com',
    'contoso..com',
    '10.0.0.1',
    'onmicrosoft.com',
    '*.onmicrosoft.com',
    'a b.com',
    '-a.com',
    `${'a'.repeat(50)}-.com`,
  ])('are refused where they are no domain: %s', async (name) => {
    const error = await refusal(readAcceptedDomains(`contoso.com,${name}`, noFile));
    expect(error.message).toContain(`"${name}" is no domain`);
  });

  it('are told from a file that is missing', async () => {
    for (const name of ['domains.csv', 'accepted.json', './contoso.com', 'C:\\lists\\contoso']) {
      expect((await refusal(readAcceptedDomains(name, noFile))).message).toContain('does not exist');
    }
    expect((await refusal(readAcceptedDomains('-', noFile))).message).toContain('stdin');
    expect((await refusal(readAcceptedDomains(' ', noFile))).message).toContain('no value');
    expect((await readAcceptedDomains('contoso.com', noFile)).domains).toEqual(exact('contoso.com'));
  });
});

describe('an export as CSV', () => {
  it.each([
    ['UTF-8', Buffer.from(CSV)],
    ['UTF-8 with mark', Buffer.from(`\ufeff${CSV}`)],
    ['UTF-16LE with mark', utf16(CSV, { mark: true })],
    ['UTF-16LE without mark', utf16(CSV, { mark: false })],
    ['UTF-16BE with mark', utf16(CSV, { mark: true, bigEndian: true })],
    ['#TYPE line', Buffer.from(`#TYPE Deserialized.Microsoft.Exchange.AcceptedDomain\r\n${CSV}`)],
    ['sep= line', Buffer.from(`sep=;\r\n${CSV.replaceAll(',', ';')}`)],
    ['semicolons', Buffer.from(CSV.replaceAll(',', ';'))],
    ['tabs', Buffer.from(CSV.replaceAll(',', '\t'))],
    ['bars', Buffer.from(CSV.replaceAll(',', '|'))],
    ['no quotes', Buffer.from(CSV.replaceAll('"', ''))],
    ['line feeds and an empty end', Buffer.from(`${CSV.replaceAll('\r\n', '\n')}\n\n`)],
  ])('is read: %s', async (_, bytes) => {
    expect(await read(bytes)).toEqual({ domains: EXPECTED, warnings: [] });
  });

  it('may have the name alone, or the name in Name', async () => {
    expect((await read('"DomainName"\r\n"contoso.com"\r\n')).domains).toEqual(exact('contoso.com'));
    expect((await read('Name,DomainType\ncontoso.com,Authoritative\n')).domains).toEqual(exact('contoso.com'));
    expect((await read('DomainName,Name,DomainType\n,contoso.com,Authoritative\n')).domains).toEqual(
      exact('contoso.com'),
    );
  });

  it('keeps the wider of two entries', async () => {
    const csv =
      'DomainName,MatchSubDomains,Default\na.example,True,True\nA.example,False,False\n*.b.example,False,False\n';
    expect((await read(csv)).domains.every((domain) => domain.matchSubDomains)).toBe(true);
  });

  it('warns of a list that is cut, of garbage, and of domains that must not send', async () => {
    const csv = [
      'DomainName,DomainType,Default,SendingFromDomainDisabled',
      'contoso.com,Authoritative,False,True',
      'System.Collections.ArrayList,Authoritative,False,False',
      'onprem.example,ExternalRelay,False,False',
    ].join('\n');
    const { domains, warnings } = await read(csv);
    expect(domains).toEqual(exact('contoso.com', 'onprem.example'));
    expect(warnings.length).toBe(4);
    expect(warnings[0]).toContain('1 of 3 rows');
    expect(warnings[1]).toContain('Default=True');
    expect(warnings[2]).toContain('switched off (SendingFromDomainDisabled) for contoso.com');
    expect(warnings[3]).toContain('ExternalRelay');
  });

  it('does not ask for Default where the column was not exported', async () => {
    expect((await read('DomainName,DomainType\ncontoso.com,Authoritative\n')).warnings).toEqual([]);
  });

  it('is refused with a header and no row', async () => {
    expect((await refusal(read(CSV.split('\r\n')[0]))).message).toContain('it has no row');
  });
});

describe('an export as JSON', () => {
  it('may be an array or a single object, of PowerShell 5.1 or 7', async () => {
    const one = {
      DomainName: 'contoso.com',
      MatchSubDomains: true,
      Default: true,
      WhenChanged: '/Date(1723810171000)/',
    };
    for (const json of [JSON.stringify([one]), JSON.stringify(one), JSON.stringify({ value: [one] })]) {
      for (const bytes of [Buffer.from(json), utf16(json, { mark: true })]) {
        expect(await read(bytes)).toEqual({ domains: [{ name: 'contoso.com', matchSubDomains: true }], warnings: [] });
      }
    }
  });

  it('may give names as strings, or as the objects of an Exchange server', async () => {
    expect((await read('["contoso.com"]')).domains).toEqual(exact('contoso.com'));
    const onPremises = [{ DomainName: { Address: '*.contoso.com', SmtpDomain: {} }, Name: 'x', Default: true }];
    expect((await read(JSON.stringify(onPremises))).domains).toEqual([{ name: 'contoso.com', matchSubDomains: true }]);
  });

  it('is refused where it is empty, broken or something else', async () => {
    expect((await refusal(read('[null]'))).message).toContain('no domain');
    expect((await refusal(read('[]'))).message).toContain('no domain');
    expect((await refusal(read('[{"DomainName":'))).message).toContain('JSON is broken');
    expect((await refusal(read('[1,2]'))).message).toContain('no objects');
    expect((await refusal(read('[{"constructor":1,"__proto__":2}]'))).message).toContain('no column DomainName');
  });
});

describe('a hand-made list', () => {
  it('has a domain per line, comments and blank lines', async () => {
    const text = '# ours\ncontoso.com\n\nfabrikam.com # the old name\n*.tailspin.example\n';
    const expected = [...exact('contoso.com', 'fabrikam.com'), { name: 'tailspin.example', matchSubDomains: true }];
    expect((await read(text)).domains).toEqual(expected);
    expect((await read(utf16(text, { mark: true }))).domains).toEqual(expected);
    expect((await read('contoso.com, fabrikam.com\ntailspin.example')).domains).toEqual(
      exact('contoso.com', 'fabrikam.com', 'tailspin.example'),
    );
  });

  it('is refused with the line that is no domain', async () => {
    expect((await refusal(read('contoso.com\nnot a domain\n'))).message).toContain('line 2 holds "not"');
  });
});

describe('a wrong file', () => {
  it.each([
    [
      'a message trace',
      'Received,SenderAddress,RecipientAddress,Status,MessageTraceId\n2026,a@b.example,c@d.example,Delivered,1\n',
      'message trace',
    ],
    [
      'a historical search',
      'origin_timestamp_utc,sender_address,recipient_status,message_subject\n1,2,3,4\n',
      'message trace',
    ],
    [
      'inbound connectors',
      'Enabled,ConnectorType,SenderIPAddresses,Name\nTrue,OnPremises,1.2.3.4,x\n',
      'Get-InboundConnector',
    ],
    ['outbound connectors', '[{"Name":"x","SmartHosts":[]}]', 'Get-OutboundConnector'],
    ['remote domains', '[{"DomainName":"*","AllowedOOFType":"External"}]', 'Get-RemoteDomain'],
    ['mailboxes', 'Name,PrimarySmtpAddress\nx,x@contoso.com\n', 'mailboxes'],
    [
      'a tracking log',
      '#Software: Microsoft Exchange Server\n#Version: 15.01\n#Fields: date-time,client-ip\n',
      'message tracking log',
    ],
    ['unknown columns', 'a,b,c,d,e\n1,2,3,4,5\n', 'no column DomainName (its columns: a, b, c, d, ...)'],
    [
      'Format-Table',
      'Name        DomainName  DomainType    Default\n----        ----------  ----------    -------\ncontoso.com contoso.com Authoritative True\n',
      'Format-Table',
    ],
    ['an empty file', '', 'it is empty'],
    ['only a mark', '\ufeff \r\n', 'it is empty'],
    ['only comments', '# none yet\n', 'nothing but comments'],
    ['HTML', '<!DOCTYPE html>\n<html></html>', 'line 1 holds "<!DOCTYPE"'],
  ])('is told apart: %s', async (_, content, reason) => {
    const { message } = await refusal(read(content));
    expect(message).toContain('list.csv is no list of accepted domains');
    expect(message).toContain(reason);
  });

  it('may be binary', async () => {
    expect((await refusal(read(Buffer.from([0x50, 0x4b, 3, 4, 0, 0, 0, 1, 2, 3])))).message).toContain('zip archive');
    expect((await refusal(read(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 1, 2, 3])))).message).toContain('gzip');
    expect((await refusal(read(Buffer.alloc(5_000, 7)))).message).toContain('no text');
  });

  it('costs linear time: stray quotes, one endless line', async () => {
    const started = performance.now();
    await refusal(read(`DomainName,DomainType\n${'"'.repeat(2_000_001)}`));
    await refusal(read(`DomainName,"${'x,'.repeat(500_000)}`));
    await refusal(read('a'.repeat(4_000_000)));
    await refusal(read(`${'a.'.repeat(2_000_000)}`));
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('a file on disk', () => {
  it('is read, or missing, or refused', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-'));
    try {
      const name = path.join(folder, 'list, really.csv');
      writeFileSync(name, CSV);
      const readFile = (file: string) => readReferenceFile(file, '--accepted-domains');
      expect((await readAcceptedDomains(name, readFile)).domains).toEqual(EXPECTED);
      expect(await readFile(path.join(folder, 'other.csv'))).toBe(null);
      expect(await readFile(path.join(name, 'below a file'))).toBe(null);
      await expect(readFile(folder)).rejects.toThrow('is a folder');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const exports = new URL('../../../shared/data/exchange/', import.meta.url);
describe.skipIf(!existsSync(exports))('exports of a real tenant (skipped: the folder with them is absent)', () => {
  const real = (name: string) => readAcceptedDomains(name, async () => readFileSync(new URL(name, exports)));

  it('are read', async () => {
    const { domains, warnings } = await real('accepted_domains.json');
    expect(domains.length).toBe(7);
    expect(domains.map((domain) => domain.name)).toContain('tqhjy.onmicrosoft.com');
    expect(warnings).toEqual([]);
  });

  it.each([
    ['inbound_connectors.json', 'Get-InboundConnector'],
    ['outbound_connectors.json', 'no domain'],
    ['remote_domains.json', 'Get-RemoteDomain'],
    ['protection_alerts.json', 'no column DomainName'],
  ])('are refused where they are something else: %s', async (name, reason) => {
    expect((await refusal(real(name))).message).toContain(reason);
  });
});
