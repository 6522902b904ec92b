/** The help of the command line, from the texts of the options. Loaded at every start: nothing but text. */

import { SCAN_OPTIONS } from './options.ts';

const COLUMNS = 100;
const FLAGS_COLUMNS = 36;

const OVERVIEW = `Usage: relaywatch COMMAND [options]

Finds compromised relays and bulk senders in Exchange message traces before Microsoft bans the tenant.

Commands:
  scan PATH...     read message-trace exports and print the incidents in them
  help [COMMAND]   print the help of a command

Options:
  --version        print the version
  -h, --help       print this help

First steps: relaywatch scan trace.csv --accepted-domains contoso.com
             relaywatch scan --help
`;

const SCAN_USAGE = `Usage: relaywatch scan PATH... [options]

Reads message-trace exports (files, folders, - for stdin) and prints the incidents in them.

Options:
`;

const SCAN_NOTES = `
Examples:
  relaywatch scan exports/ --accepted-domains accepted-domains.csv
  relaywatch scan trace.csv --accepted-domains contoso.com --output ndjson > incidents.ndjson
The list of registered domains comes from Exchange Online PowerShell:
  Get-AcceptedDomain -ResultSize Unlimited | Export-Csv accepted-domains.csv -NoTypeInformation -Encoding UTF8

Exit codes:
  0  done
  1  failed, or an input was missing or refused (the others were read)
  2  wrong usage or reference file, or dates whose order cannot be told
  3  done, and --fail-on matched
`;

export const COMMANDS = ['scan', 'help'] as const;

/** The help of a command, of all where it is `help` or none; null for a command that does not exist. */
export function helpText(command: string | undefined): string | null {
  if (command === undefined || command === 'help') return OVERVIEW;
  if (command !== 'scan') return null;
  const options = [...SCAN_OPTIONS, { flags: '-h, --help', description: 'print this help' }];
  return SCAN_USAGE + options.map(({ flags, description }) => optionLines(flags, description)).join('') + SCAN_NOTES;
}

function optionLines(flags: string, description: string): string {
  const lines: string[] = [];
  let line = `  ${flags}`.padEnd(FLAGS_COLUMNS);
  for (const word of description.split(' ')) {
    if (line.length + word.length > COLUMNS) {
      lines.push(line.trimEnd());
      line = ' '.repeat(FLAGS_COLUMNS);
    }
    line += `${word} `;
  }
  return `${[...lines, line.trimEnd()].join('\n')}\n`;
}
