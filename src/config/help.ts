/** The help of the command line, from the texts of commands and options. Loaded at every start: nothing but text. */

import { COMMAND_NAMES, COMMANDS, type CommandName, commandUsage, isCommand } from './commands.ts';

const COLUMNS = 100;
const FLAGS_COLUMNS = 36;

const HELP_OPTION = { flags: '-h, --help', description: 'print this help' };

/** The help of a command, of all where it is `help` or none; null for a command that does not exist. */
export function helpText(command: string | undefined): string | null {
  if (command === undefined || command === 'help') return overview();
  return isCommand(command) ? commandHelp(command) : null;
}

function overview(): string {
  const commands = [
    ...COMMAND_NAMES.map((name) => [commandUsage(name), COMMANDS[name].summary]),
    ['help [COMMAND]', 'print the help of a command'],
  ];
  const width = Math.max(...commands.map(([usage]) => usage.length)) + 4;
  return `Usage: relaywatch COMMAND [options]

Finds compromised relays and bulk senders in Exchange message traces before Microsoft bans the tenant.

Commands:
${commands.map(([usage, summary]) => entry(usage, summary, width)).join('')}
Options:
${entry('--version', 'print the version', width)}${entry(HELP_OPTION.flags, HELP_OPTION.description, width)}
First steps: relaywatch scan trace.csv --accepted-domains contoso.com
             relaywatch scan --help
`;
}

function commandHelp(name: CommandName): string {
  const { about, options, notes } = COMMANDS[name];
  const lines = [...options, HELP_OPTION].map(({ flags, description }) => entry(flags, description, FLAGS_COLUMNS));
  return `Usage: relaywatch ${commandUsage(name)} [options]\n\n${about}\n\nOptions:\n${lines.join('')}\n${notes}`;
}

/** A name and its description, which begins at the column `width` and goes on below itself. */
function entry(name: string, description: string, width: number): string {
  const lines: string[] = [];
  let line = `  ${name}`.padEnd(width);
  for (const word of description.split(' ')) {
    if (line.length + word.length > COLUMNS) {
      lines.push(line.trimEnd());
      line = ' '.repeat(width);
    }
    line += `${word} `;
  }
  return `${[...lines, line.trimEnd()].join('\n')}\n`;
}
