/**
 * The options of the command line, as data: `main.ts` builds the parser from them, `help.ts` the help,
 * `scan-options.ts` checks their values. This file is loaded at every start: it imports nothing.
 */

export interface OptionText {
  /** `--name <VALUE>`, in the notation of commander. */
  readonly flags: string;
  readonly description: string;
  /** A value that works, for errors. */
  readonly example?: string;
}

export const FORMAT_IDS = [
  'auto',
  'elastic-message-trace',
  'message-trace',
  'graph-message-trace',
  'enhanced-summary',
  'email-events',
  'admin-center-summary',
  'extended-report',
  'tracking-log',
  'tracking-log-cmdlet',
] as const;
export const DATE_ORDERS = ['mdy', 'dmy', 'ymd'] as const;
export const READERS = ['auto', 'js', 'fast-csv'] as const;
export const OUTPUTS = ['table', 'ndjson'] as const;
export const CONVERT_OUTPUTS = ['ndjson', 'csv'] as const;

export const DEFAULT_EVIDENCE_ROWS = 10;
export const MAX_EVIDENCE_ROWS = 1_000;
export const DEFAULT_MEMORY_MIB = 256;
export const MIN_MEMORY_MIB = 64;

export const SCAN_OPTIONS: readonly OptionText[] = [
  {
    flags: '--accepted-domains <FILE|NAMES>',
    description:
      'the domains registered in the tenant: Get-AcceptedDomain as CSV or JSON, a name per line, or a.com,b.com',
    example: 'accepted-domains.csv',
  },
  {
    flags: '--connectors <FILE>',
    description: 'the connectors of the tenant: Get-InboundConnector and Get-OutboundConnector as JSON or CSV',
    example: 'connectors.json',
  },
  {
    flags: '--labels <FILE>',
    description: 'verdicts about incidents, benign or abuse, as NDJSON: what is known is not told again',
    example: 'labels.ndjson',
  },
  {
    flags: '--allow <FILE>',
    description: 'mail that is known and wanted, by domain, mailbox, connector or address, as YAML',
    example: 'allow.yaml',
  },
  { flags: '--tenant <NAME>', description: 'name of the tenant, such as contoso', example: 'contoso' },
  {
    flags: '--licenses <N>',
    description: 'licenses of the tenant: watch how near it is to its limit of outside recipients',
    example: '100',
  },
  {
    flags: '--time-zone <ZONE>',
    description: 'zone of the office hours, such as Europe/Berlin (default: UTC)',
    example: 'Europe/Berlin',
  },
  {
    flags: '--since <TIME>',
    description: 'leave out rows before, such as 2026-09-01 or 2026-09-01T08:00:00Z',
    example: '2026-09-01',
  },
  { flags: '--until <TIME>', description: 'leave out rows from then on', example: '2026-10-01' },
  {
    flags: '--report-since <TIME>',
    description: 'learn from all rows, report incidents detected from then on',
    example: '2026-09-08',
  },
  {
    flags: '--format <ID>',
    description: `format of the exports: ${FORMAT_IDS.join(', ')} (default: auto)`,
    example: 'message-trace',
  },
  {
    flags: '--date-order <ORDER>',
    description: 'order of day, month and year where a file does not tell: mdy, dmy, ymd',
    example: 'dmy',
  },
  { flags: '--reader <NAME>', description: 'CSV reader: auto, js, fast-csv (default: auto)', example: 'js' },
  {
    flags: '--output <FORM>',
    description: 'table for people, ndjson for programs (default: table)',
    example: 'ndjson',
  },
  {
    flags: '--out <FILE>',
    description: 'write the incidents to a file instead of stdout',
    example: 'incidents.ndjson',
  },
  { flags: '--ledger <FILE>', description: 'write what became of every row, as JSON', example: 'ledger.json' },
  {
    flags: '--dead-letters <FILE>',
    description: 'write the rows that could not be read, with the reason, as NDJSON',
    example: 'dead-letters.ndjson',
  },
  {
    flags: '--evidence-out <FILE>',
    description: 'write where the evidence stands in the files, as NDJSON',
    example: 'evidence.ndjson',
  },
  {
    flags: '--fail-on <SEVERITY>',
    description: 'exit 3 if an incident is low, medium, high or critical, or graver',
    example: 'high',
  },
  {
    flags: '--evidence <N>',
    description: `sample rows of an incident (default: ${DEFAULT_EVIDENCE_ROWS})`,
    example: String(DEFAULT_EVIDENCE_ROWS),
  },
  {
    flags: '--memory <MIB>',
    description: `memory for rows; more of them go to temporary files (default: ${DEFAULT_MEMORY_MIB})`,
    example: String(DEFAULT_MEMORY_MIB),
  },
  { flags: '--quiet', description: 'nothing on stderr but errors' },
];

/** Options of `scan` that `convert` has too. */
const SHARED_OPTIONS: readonly string[] = [
  '--accepted-domains',
  '--tenant',
  '--since',
  '--until',
  '--format',
  '--date-order',
  '--reader',
  '--ledger',
  '--dead-letters',
  '--memory',
  '--quiet',
];

/** Options of `scan` that say nothing about how an incident was found. */
const OUTPUT_OPTIONS: readonly string[] = [
  '--output',
  '--out',
  '--ledger',
  '--dead-letters',
  '--evidence-out',
  '--evidence',
  '--fail-on',
  '--report-since',
];

export const EXPLAIN_OPTIONS: readonly OptionText[] = SCAN_OPTIONS.filter(
  (option) => !OUTPUT_OPTIONS.includes(optionName(option)),
);

export const CONVERT_OPTIONS: readonly OptionText[] = [
  {
    flags: '--explain',
    description: 'instead of rows, print what each file was taken for and why, and which columns are used',
  },
  {
    flags: '--output <FORM>',
    description:
      'ndjson: a document a line with ECS names; csv: for Excel, cells that would run as formulas made harmless (default: ndjson)',
    example: 'csv',
  },
  { flags: '--raw', description: 'with --output csv: cells as they are, without byte order mark, for programs' },
  { flags: '--out <FILE>', description: 'write the rows to a file instead of stdout', example: 'rows.csv' },
  ...SCAN_OPTIONS.filter((option) => SHARED_OPTIONS.includes(optionName(option))),
];

/** `--accepted-domains` of `--accepted-domains <FILE|NAMES>`. */
export function optionName(option: OptionText): string {
  return option.flags.split(' ', 1)[0];
}

/** Values as typed, by the camel-case name of the option. */
export interface RawScanOptions {
  acceptedDomains?: string;
  connectors?: string;
  labels?: string;
  allow?: string;
  tenant?: string;
  licenses?: string;
  timeZone?: string;
  since?: string;
  until?: string;
  reportSince?: string;
  format?: string;
  dateOrder?: string;
  reader?: string;
  output?: string;
  out?: string;
  ledger?: string;
  deadLetters?: string;
  evidenceOut?: string;
  failOn?: string;
  evidence?: string;
  memory?: string;
  quiet?: boolean;
}

export interface RawConvertOptions
  extends Pick<
    RawScanOptions,
    | 'acceptedDomains'
    | 'tenant'
    | 'since'
    | 'until'
    | 'format'
    | 'dateOrder'
    | 'reader'
    | 'out'
    | 'output'
    | 'ledger'
    | 'deadLetters'
    | 'memory'
    | 'quiet'
  > {
  explain?: boolean;
  raw?: boolean;
}
