/** Writes `Get-AcceptedDomain | Export-Csv`: the columns that matter, in the order of the cmdlet's output. */

// biome-ignore format: the order of the export
export const ACCEPTED_DOMAIN_COLUMNS = [
  'DomainName', 'CatchAllRecipientID', 'DomainType', 'MatchSubDomains', 'AddressBookEnabled', 'Default', 'EmailOnly',
  'ExternallyManaged', 'AuthenticationType', 'PendingRemoval', 'OutboundOnly', 'IsCoexistenceDomain',
  'SendingFromDomainDisabled', 'SendingToDomainDisabled', 'InitialDomain', 'Name', 'IsValid', 'ObjectState',
] as const;

/** `domains[0]` is the default domain; one under onmicrosoft.com is the initial domain. */
export function acceptedDomainsCsv(domains: readonly string[]): string {
  const quote = (text: string): string => `"${text}"`;
  const lines = [ACCEPTED_DOMAIN_COLUMNS.map(quote).join(',')];
  domains.forEach((domain, index) => {
    const isDefault = index === 0 ? 'True' : 'False';
    const isInitial = domain.endsWith('.onmicrosoft.com') ? 'True' : 'False';
    const coexistence = domain.endsWith('.mail.onmicrosoft.com') ? 'True' : 'False';
    lines.push(
      // biome-ignore format: the order of the columns
      [
        domain, '', 'Authoritative', 'False', 'True', isDefault, 'False', 'False', 'Managed', 'False', 'False', coexistence,
        'False', 'False', isInitial, domain, 'True', 'Unchanged',
      ]
        .map(quote)
        .join(','),
    );
  });
  return `${lines.join('\r\n')}\r\n`;
}
