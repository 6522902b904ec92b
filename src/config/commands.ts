/**
 * The commands, as data: `main.ts` builds the parser from them, `help.ts` the help, `failure.ts` what is said of
 * mistyped ones. A new command is an entry here, and in `main.ts` the line that loads its module. This file is
 * loaded at every start: nothing but text.
 */

import { CONVERT_OPTIONS, EXPLAIN_OPTIONS, type OptionText, SCAN_OPTIONS } from './options.ts';

export interface CommandText {
  /** What follows the name, in the notation of commander: `[PATH...]`, `<PATH>`, or nothing. */
  readonly operands: string;
  /** The same for people, where it differs. */
  readonly usage?: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What it does, above its options. */
  readonly about: string;
  readonly options: readonly OptionText[];
  /** Below its options: examples, exit codes. */
  readonly notes: string;
  /** It handles SIGINT and SIGTERM itself, to finish what it has begun; others end at once. */
  readonly stopsItself?: boolean;
}

const LINT_OPTIONS: readonly OptionText[] = [
  { flags: '--output <FORM>', description: 'text for people, json for programs (default: text)', example: 'json' },
  {
    flags: '--schema <FOLDER>',
    description: 'write the JSON Schemas of pipelines and tenants for editors into a folder, and check nothing',
    example: 'pipelines',
  },
  { flags: '--quiet', description: 'nothing on stderr but errors' },
];

const QUIET: OptionText = { flags: '--quiet', description: 'nothing on stderr but errors' };
const TENANT: OptionText = {
  flags: '--tenant <KEY>',
  description: 'key of the tenant, where the pipeline has several',
  example: 'contoso',
};
const RESULT_CODES = `Exit codes:
  0  done
  1  failed
  2  wrong usage or configuration
`;

const TEXTS = {
  scan: {
    operands: '[PATH...]',
    usage: 'PATH...',
    summary: 'read message-trace exports and print the incidents in them',
    about: `Reads message-trace exports (files, folders, - for stdin; also in gzip, zip and zstd) and prints
the incidents in them.`,
    options: SCAN_OPTIONS,
    notes: `Examples:
  relaywatch scan exports/ --accepted-domains accepted-domains.csv
  relaywatch scan trace.csv --accepted-domains contoso.com --output ndjson > incidents.ndjson
The list of registered domains comes from Exchange Online PowerShell:
  Get-AcceptedDomain -ResultSize Unlimited | Export-Csv accepted-domains.csv -NoTypeInformation -Encoding UTF8

Exit codes:
  0  done
  1  failed, or an input was missing or refused (the others were read)
  2  wrong usage or reference file, or dates whose order cannot be told
  3  done, and --fail-on matched
`,
  },
  convert: {
    operands: '[PATH...]',
    usage: 'PATH...',
    summary: 'turn exports of any format into rows of one, or explain how they are read',
    about: `Reads message-trace exports (files, folders, - for stdin; also in gzip, zip and zstd) and prints
their rows in one form, whatever format they came in. A row is one message and one recipient: events
and repetitions of it are merged over all files. Rows are ordered by event time, so the same rows
give the same output in any order.`,
    options: CONVERT_OPTIONS,
    notes: `Examples:
  relaywatch convert exports/ --accepted-domains accepted-domains.csv > rows.ndjson
  relaywatch convert trace.csv --output csv --out rows.csv
  relaywatch convert --explain trace.csv

Exit codes:
  0  done
  1  failed, or an input was missing or refused (the others were read)
  2  wrong usage or reference file, or dates whose order cannot be told
`,
  },
  explain: {
    operands: '[NAME] [PATH...]',
    usage: '[DETECTOR | INCIDENT PATH...]',
    summary: 'tell what a detector finds, or why an incident was raised',
    about: `Without a name it lists the detectors. Of a detector it tells what it finds, what proves it, what it cannot see,
its numbers and what to do. Of an incident it shows the numbers: what was expected, every window with its least
count, the ramp, and why it is so severe; it needs the exports and the options that it was found with.`,
    options: EXPLAIN_OPTIONS,
    notes: `Examples:
  relaywatch explain
  relaywatch explain relayed
  relaywatch explain rw-0123456789abcdef exports/ --accepted-domains accepted-domains.csv

Exit codes:
  0  done
  1  failed, or the exports have no such incident
  2  wrong usage or reference file, or dates whose order cannot be told
`,
  },
  run: {
    operands: '[PIPELINE]',
    summary: 'run a worker until it is stopped',
    about: `Runs the worker that a pipeline file describes (default: pipelines/embedded.yaml): one process with a folder
and no service, or one of the workers ingest, detect and jobs around Kafka, Elasticsearch and Redis.`,
    options: [{ flags: '--once', description: 'end when everything that is there has been read' }],
    notes: `Ctrl-C ends it: what is under way is finished and saved first. Killed at any moment, the next run goes on.

Examples:
  relaywatch run
  relaywatch run pipelines/detect.yaml

${RESULT_CODES}`,
    stopsItself: true,
  },
  submit: {
    operands: '[PATH...]',
    usage: 'PATH...',
    summary: 'hand exports to the workers',
    about: 'Hands exports (files and folders) to the workers as jobs. They are read where they lie.',
    options: [
      {
        flags: '--pipeline <FILE>',
        description: 'pipeline of the jobs (default: pipelines/jobs.yaml)',
        example: 'jobs.yaml',
      },
      TENANT,
      QUIET,
    ],
    notes: `Prints queued, or known where the same export was handed over before.

${RESULT_CODES}`,
  },
  rescan: {
    operands: '',
    summary: 'detect again over the archive',
    about: `Detects again over the archived exports of a pipeline and brings the stored incidents to what it finds: new ones
are added, known ones keep their id and what analysts wrote, those that are no more are retracted.`,
    options: [
      {
        flags: '--pipeline <FILE>',
        description: 'pipeline with archive and outputs (default: pipelines/embedded.yaml)',
        example: 'pipelines/jobs.yaml',
      },
      TENANT,
      { flags: '--from <DAY>', description: 'incidents detected from this UTC day on', example: '2026-11-01' },
      { flags: '--to <DAY>', description: 'incidents detected before this UTC day', example: '2026-11-08' },
      { flags: '--dry-run', description: 'print what is new, changed or gone, and write nothing' },
      { flags: '--job', description: 'leave it to the jobs worker' },
      QUIET,
    ],
    notes: `Examples:
  relaywatch rescan --from 2026-11-01 --dry-run

${RESULT_CODES}`,
  },
  setup: {
    operands: '[PIPELINE...]',
    summary: 'bring templates, indices and topics into the servers',
    about: `Brings what pipelines (default: pipelines/*.yaml) need into their servers: templates and indices into
Elasticsearch, topics into Kafka. It may run as often as anybody likes.`,
    options: [
      { flags: '--dry-run', description: 'print what would change, and change nothing' },
      { flags: '--partitions <N>', description: 'partitions of a new topic (default: 12)', example: '12' },
      {
        flags: '--replication-factor <N>',
        description: 'copies of a new topic (default: brokers, up to 3)',
        example: '3',
      },
      QUIET,
    ],
    notes: RESULT_CODES,
  },
  doctor: {
    operands: '[PIPELINE...]',
    summary: 'check the servers of pipelines',
    about: `Checks what pipelines (default: pipelines/*.yaml) use: servers (reached, version, settings, rights) and folders.`,
    options: [QUIET],
    notes: RESULT_CODES,
  },
  test: {
    operands: '[PIPELINE...]',
    summary: 'run the cases that pipelines carry',
    about: `Runs the cases of pipelines (default: pipelines/*.yaml): rows in, incidents out. No server is needed.`,
    options: [QUIET],
    notes: `Exit codes:
  0  every case holds
  1  a case does not hold, or its rows cannot be read
  2  wrong usage or configuration
`,
  },
  'dead-letters': {
    operands: '[ACTION] [FILE...]',
    usage: 'list|show|replay [FILE] [ID...]',
    summary: 'list, show and replay rows that could not be read',
    about: `Rows that could not be read, from a file that scan or convert wrote with --dead-letters, or from what a
pipeline keeps: counted by code, shown with their original text, or put through again.`,
    options: [
      {
        flags: '--pipeline <FILE>',
        description: 'the dead letters of a pipeline instead of those in a file',
        example: 'pipelines/embedded.yaml',
      },
      { flags: '--tenant <KEY>', description: 'with --pipeline: those of one tenant', example: 'contoso' },
      { flags: '--code <CODE>', description: 'only those with this code, such as bad_time', example: 'bad_time' },
      {
        flags: '--output <FORM>',
        description: 'text for people, ndjson for programs (default: text)',
        example: 'ndjson',
      },
      {
        flags: '--out <FOLDER>',
        description: 'where replay writes exports (default: the folder that the pipeline watches)',
        example: 'replayed',
      },
      QUIET,
    ],
    notes: `replay writes the rows with their header into new exports, one for each file they are from. Mend rows before
in the field "original" of the file, or replay when what was in the way is gone, such as a profile that
was missing. Exports in the folder that a pipeline watches are read at once, those of a pipeline with
jobs are handed to its workers; others can be scanned. Rows that are known already are not counted twice.
Of a pipeline with Kafka it also appends entries of tenants that have a profile by now to the log again.

Examples:
  relaywatch scan exports/ --dead-letters dead.ndjson
  relaywatch dead-letters list dead.ndjson
  relaywatch dead-letters show dead.ndjson 17
  relaywatch dead-letters replay dead.ndjson --code bad_time --out mended
  relaywatch dead-letters list --pipeline pipelines/embedded.yaml

Exit codes:
  0  done
  1  failed, or not all could be shown or replayed
  2  wrong usage or configuration
`,
  },
  lint: {
    operands: '[PIPELINE...]',
    summary: 'check pipeline files',
    about: `Checks pipeline files (default: pipelines/*.yaml) without touching a server: names, values, what they mean
together, the files of tenants and the lists and labels that they name. Secrets and variables may be missing here.`,
    options: LINT_OPTIONS,
    notes: `Prints a line per problem: file:line:column: path: message (allowed: ...; did you mean ...).

Examples:
  relaywatch lint
  relaywatch lint pipelines/embedded.yaml --output json

Exit codes:
  0  no errors (warnings included)
  1  failed
  2  errors, or wrong usage
`,
  },
} satisfies Record<string, CommandText>;

export type CommandName = keyof typeof TEXTS;

/** In the order of the help. */
export const COMMANDS: Readonly<Record<CommandName, CommandText>> = TEXTS;
export const COMMAND_NAMES = Object.keys(TEXTS) as CommandName[];

/** `scan PATH...` */
export function commandUsage(name: CommandName): string {
  const { operands, usage = operands } = COMMANDS[name];
  return `${name} ${usage}`.trimEnd();
}

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(TEXTS, name);
}
