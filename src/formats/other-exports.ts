/**
 * Exports that lie beside traces and are none: told by their columns, so that the error can say what
 * a file is instead of what it is not.
 */

import type { OtherExport } from './format.ts';

/** The first whose columns are all in the header is meant: special ones first. */
export const otherExports: readonly OtherExport[] = [
  {
    title: 'formatted output (Format-Table or Format-List before Export-Csv)',
    columns: ['classid2e4f51ef21dd47e99d3c952918aff9cd'],
    hint: 'export again without Format-Table: Get-MessageTraceV2 ... | Export-Csv trace.csv -Encoding utf8',
  },
  {
    title: 'Get-AcceptedDomain',
    columns: ['domainname', 'domaintype'],
    hint: 'pass it with --accepted-domains',
  },
  {
    title: 'Get-InboundConnector',
    columns: ['connectortype', 'senderipaddresses'],
    hint: 'it has no message rows; scan reads message traces',
  },
  {
    title: 'Get-OutboundConnector',
    columns: ['connectortype', 'smarthosts'],
    hint: 'it has no message rows; scan reads message traces',
  },
  {
    title: 'Get-MessageTraceDetail',
    columns: ['messagetraceid', 'event', 'detail'],
    hint: 'its rows name no sender and no recipient; export the summary with Get-MessageTraceV2',
  },
  {
    title: 'unified audit log',
    columns: ['recordtype', 'auditdata'],
    hint: 'it has no message rows; scan reads message traces',
  },
];
