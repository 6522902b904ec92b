/**
 * The commands, as data: `main.ts` builds the parser from them, `help.ts` the help, `failure.ts` what is said of
 * mistyped ones. A new command is an entry here, and in `main.ts` the line that loads its module. This file is
 * loaded at every start: nothing but text.
 */

import { type OptionText, SCAN_OPTIONS } from './options.ts';

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

const TEXTS = {
  scan: {
    operands: '[PATH...]',
    usage: 'PATH...',
    summary: 'read message-trace exports and print the incidents in them',
    about: 'Reads message-trace exports (files, folders, - for stdin) and prints the incidents in them.',
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
  lint: {
    operands: '[PIPELINE...]',
    summary: 'check pipeline files',
    about: `Checks pipeline files (default: pipelines/*.yaml) without touching a server: names, values, what they mean
together, the files of tenants and their lists of domains. Secrets and variables may be missing here.`,
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
