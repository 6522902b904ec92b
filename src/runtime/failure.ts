/** What a failure says on stderr: what happened, to what, what to do; and its exit code. */

import { existsSync } from 'node:fs';
import { COMMAND_NAMES, COMMANDS, type CommandName, commandUsage, isCommand } from '../config/commands.ts';
import { nearestName } from '../config/nearest-name.ts';
import { optionName } from '../config/options.ts';
import { RelaywatchError } from '../core/outcome.ts';
import { errorText } from '../reports/notes.ts';

/** Prints the failure and gives the exit code. The stack is shown only where RELAYWATCH_DEBUG is set. */
export function reportFailure(error: unknown, args: readonly string[]): number {
  const known = knownFailure(error, args);
  process.stderr.write(errorText(known.message, known.hint));
  if (process.env.RELAYWATCH_DEBUG) process.stderr.write(`${debugText(error)}\n`);
  return known.exitCode;
}

interface Failure {
  message: string;
  hint: string;
  exitCode: number;
}

function knownFailure(error: unknown, args: readonly string[]): Failure {
  if (error instanceof RelaywatchError) return error;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && /^(?:commander|relaywatch)\./.test(code)) {
    return { ...usageFailure(code, String(message), args), exitCode: 2 };
  }
  return { ...systemFailure(error), exitCode: 1 };
}

function usageFailure(code: string, message: string, args: readonly string[]): Omit<Failure, 'exitCode'> {
  const [name = ''] = /--?[\w-]+/.exec(message) ?? [];
  const command = args.find(isCommand);
  const options = command === undefined ? [] : COMMANDS[command].options;
  const example = options.find((option) => optionName(option) === name)?.example;
  switch (code) {
    case 'relaywatch.unknownCommand':
      return unknownCommand(message);
    case 'relaywatch.repeatedOption':
      return { message: `${message} is given twice`, hint: 'Give it once.' };
    case 'commander.excessArguments':
      return {
        message: `${command ?? 'the command'} takes fewer arguments`,
        hint: `It is used so: relaywatch ${command === undefined ? 'COMMAND' : commandUsage(command)}`,
      };
    case 'commander.optionMissingArgument':
      return { message: `${name} has no value`, hint: `For example: ${name} ${example ?? 'VALUE'}` };
    case 'commander.unknownOption': {
      const typed = /'(.*)'/s.exec(message.split('\n')[0])?.[1] ?? name;
      return unknownOption(typed, command);
    }
    default:
      return { message: message.replace(/^error: /, ''), hint: 'relaywatch --help shows the commands and options.' };
  }
}

function unknownOption(typed: string, command: CommandName | undefined): Omit<Failure, 'exitCode'> {
  const message = `there is no option ${typed}`;
  if (command === undefined) {
    const owner = COMMAND_NAMES.find((name) => COMMANDS[name].options.some((option) => optionName(option) === typed));
    if (owner !== undefined) {
      const place = `It belongs to ${owner}: relaywatch ${commandUsage(owner)} ${typed}. `;
      return { message, hint: `${place}relaywatch --help lists the options.` };
    }
  }
  const names =
    command === undefined
      ? [...COMMAND_NAMES.flatMap((name) => COMMANDS[name].options.map(optionName)), '--version']
      : COMMANDS[command].options.map(optionName);
  const nearest = nearestName(typed, [...names, '--help']);
  const suggestion = nearest === null ? '' : `Did you mean ${nearest}? `;
  return {
    message,
    hint: `${suggestion}relaywatch ${command === undefined ? '' : `${command} `}--help lists the options.`,
  };
}

function unknownCommand(typed: string): Omit<Failure, 'exitCode'> {
  const nearest = nearestName(typed, [...COMMAND_NAMES, 'help']);
  const message = `there is no command ${typed}`;
  if (nearest === null && existsSync(typed)) {
    return { message, hint: `To read the file: relaywatch scan ${typed}` };
  }
  const suggestion = nearest === null ? '' : `Did you mean ${nearest}? `;
  return { message, hint: `${suggestion}relaywatch --help lists the commands.` };
}

const SYSTEM_HINTS: Record<string, string> = {
  ENOSPC: 'The disk is full: make room, or set TMPDIR to a folder on another one.',
  EMFILE: 'Too many files are open: raise the limit of open files (ulimit -n).',
  EACCES: 'Check the permissions.',
  EPERM: 'Check the permissions.',
};

function systemFailure(error: unknown): Omit<Failure, 'exitCode'> {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : String(error);
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) {
    return {
      message: text,
      hint: SYSTEM_HINTS[code] ?? 'Run the command again; RELAYWATCH_DEBUG=1 shows where it failed.',
    };
  }
  return {
    message: `internal error: ${text}`,
    hint: 'This is a defect of relaywatch. Run the command again with RELAYWATCH_DEBUG=1 and report what it prints.',
  };
}

function debugText(error: unknown): string {
  const lines: string[] = [];
  for (let cause: unknown = error; cause !== undefined && lines.length < 5; cause = (cause as Error).cause) {
    lines.push(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  }
  return lines.join('\ncaused by: ');
}
