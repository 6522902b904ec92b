import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandValues, fillCommand, powerShellLiteral } from '../../src/reports/powershell.ts';
import { relayIncident } from './incidents.ts';

/** What PowerShell reads as single quotes: ', and the typographic ones (about_Quoting_Rules). */
const QUOTES = "'\u2018\u2019\u201a\u201b";

/**
 * Reads a single-quoted literal as PowerShell's tokenizer does: two quotes of any kind in a row are one, a
 * single one ends it. Gives the value and what is left behind the literal.
 */
function readLiteral(text: string): { value: string; rest: string } {
  expect(QUOTES).toContain(text[0]);
  let value = '';
  for (let at = 1; at < text.length; at++) {
    if (!QUOTES.includes(text[at])) value += text[at];
    else if (at + 1 < text.length && QUOTES.includes(text[at + 1])) value += text[at++];
    else return { value, rest: text.slice(at + 1) };
  }
  throw new Error(`the literal does not end: ${text}`);
}

describe('a PowerShell literal', () => {
  it.each([
    ['Inbound from DC1', "'Inbound from DC1'"],
    ["x'; Remove-Mailbox ceo; '", "'x''; Remove-Mailbox ceo; '''"],
    ['x\u2019; calc; \u2018', "'x\u2019\u2019; calc; \u2018\u2018'"],
    ['$(calc)`n"$env:x"', '\'$(calc)`n"$env:x"\''],
  ])('of %s', (value, literal) => {
    expect(powerShellLiteral(value)).toBe(literal);
    expect(readLiteral(literal)).toEqual({ value, rest: '' });
  });

  it.each(['', 'a\nb', 'a\u202eb', 'a\u0000', '\u001b[A', 'a\u200bb', 'a'.repeat(321)])(
    'is not made of what a person could not check: %j',
    (value) => {
      expect(powerShellLiteral(value)).toBe(null);
    },
  );

  it('holds any value and nothing behind it (property)', () => {
    const seed = Date.now() % 1_000_000;
    const character = fc.constantFrom(...QUOTES, '$', '`', '"', ';', '(', '|', '\n', 'a', ' ', '#', '&', '{{from}}');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 20 }), (characters) => {
        const value = characters.join('');
        const literal = powerShellLiteral(value);
        if (literal === null) expect(value === '' || value.includes('\n')).toBe(true);
        else expect(readLiteral(literal)).toEqual({ value, rest: '' });
      }),
      { numRuns: 3_000, seed, verbose: 1 },
    );
  });
});

describe('the values of an incident', () => {
  it('are its first contributors and its time, to the minute around it', () => {
    expect(commandValues(relayIncident())).toEqual({
      connector: "'Inbound from DC1'",
      source: "'198.51.100.25'",
      domain: "'fabrikam.example'",
      trace: "'cf7a249a-5edd-4350-130a-08da8f69e0f6'",
      recipient: "'ann@victim.example'",
      week_before: "'2026-08-29T18:02:00Z'",
      from: "'2026-09-05T18:02:00Z'",
      to: "'2026-09-05T20:42:00Z'",
    });
  });

  it('cover at most the ten days of a trace query', () => {
    const long = relayIncident({}, { start: '2026-08-01T00:00:00.000Z', end: '2026-09-01T00:00:00.000Z' });
    expect(commandValues(long).to).toBe("'2026-08-11T00:00:00Z'");
  });

  it('leave out what is no value of a parameter', () => {
    const { contributors, evidence } = relayIncident().relaywatch.incident;
    const values = commandValues(
      relayIncident({
        contributors: {
          ...contributors,
          connectors: [{ key: 'evil\u001b]0;x\u0007', recipients: 1, share: 1 }],
          sources: [{ key: '2001:db8::/64', recipients: 1, share: 1 }],
        },
        evidence: [{ ...evidence[0], message_trace_id: '0123456789abcdef' }],
      }),
    );
    expect(values.connector).toBe(undefined);
    expect(values.source).toBe(undefined);
    expect(values.trace).toBe(undefined);
  });
});

it('a command is whole or missing', () => {
  expect(fillCommand('Get-X -A {{from}} -B {{to}} | Where-Object { $_.C }', { from: "'1'", to: "'2'" })).toBe(
    "Get-X -A '1' -B '2' | Where-Object { $_.C }",
  );
  expect(fillCommand('Get-X -A {{from}} -B {{to}}', { from: "'1'" })).toBe(null);
  // A value that looks like a placeholder stays a value.
  expect(fillCommand('Get-X {{domain}}', { domain: "'{{to}}'", to: "'2'" })).toBe("Get-X '{{to}}'");
});
