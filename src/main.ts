/**
 * The command line: parses options, nothing else. Loaded at every start, so all that a command needs, the
 * parser too, comes when a command runs.
 */

import { COMMAND_NAMES, COMMANDS, type CommandName } from './config/commands.ts';
import { helpText } from './config/help.ts';
import { type OptionText, optionName } from './config/options.ts';
import type { ExitCode } from './core/outcome.ts';

/** What a command's module gives: operands, options by their camel-case names, and the streams of the process. */
type RunCommand = { run(operands: string[], raw: object, streams: NodeJS.Process): Promise<ExitCode> }['run'];

const MODULES: Record<CommandName, () => Promise<RunCommand>> = {
  scan: async () => (await import('./runtime/scan-command.ts')).runScan,
  convert: async () => (await import('./runtime/convert-command.ts')).runConvert,
  run: async () => (await import('./runtime/run-command.ts')).runRun,
  submit: async () => (await import('./runtime/submit-command.ts')).runSubmit,
  rescan: async () => (await import('./runtime/rescan-command.ts')).runRescan,
  setup: async () => (await import('./runtime/setup-command.ts')).runSetup,
  doctor: async () => (await import('./runtime/setup-command.ts')).runDoctor,
  test: async () => (await import('./runtime/test-command.ts')).runTest,
  'dead-letters': async () => (await import('./runtime/dead-letters-command.ts')).runDeadLetters,
  explain: async () => (await import('./runtime/explain-command.ts')).runExplain,
  lint: async () => (await import('./runtime/lint-command.ts')).runLint,
};

const EXIT_INTERRUPTED = 130;
const EXIT_TERMINATED = 143;

/** The command that runs stops by itself, once it listens to the signals. */
let isLeftToCommand = false;
/**
 * Ends at once; what has temporary files removes them on `exit`. It stays until the end: a signal that came while
 * modules were loaded would find nobody, were it taken off before the command listens.
 */
const endsWith = (exitCode: number) => (signal: NodeJS.Signals) => {
  if (!isLeftToCommand || process.listenerCount(signal) === 1) process.exit(exitCode);
};
process.on('SIGINT', endsWith(EXIT_INTERRUPTED));
process.on('SIGTERM', endsWith(EXIT_TERMINATED));
for (const stream of [process.stdout, process.stderr]) {
  // A reader that has gone away (`relaywatch scan … | head`) is no failure; writes see other errors themselves.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exitCode = 1;
  });
}

process.exitCode = await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<number> {
  try {
    if (args.length === 0 || args[0] === 'help' || args.includes('--help') || args.includes('-h')) {
      return printHelp(args.filter((arg) => !arg.startsWith('-')));
    }
    if (args[0] === '--version') return await printVersion();
    return await runCommand(args);
  } catch (error) {
    const { reportFailure } = await import('./runtime/failure.ts');
    return reportFailure(error, args);
  }
}

function printHelp(names: readonly string[]): number {
  const name = names[0] === 'help' ? names[1] : names[0];
  const text = helpText(name);
  if (text === null) throw unknownCommand(name);
  process.stdout.write(text);
  return 0;
}

async function printVersion(): Promise<number> {
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } });
  process.stdout.write(`${manifest.version}\n`);
  return 0;
}

async function runCommand(args: readonly string[]): Promise<number> {
  const { Command, Option } = await import('commander');
  let exitCode = 0;
  const program = new Command('relaywatch')
    .helpOption(false)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .allowExcessArguments()
    .action((_, command) => {
      throw unknownCommand(command.args[0]);
    });
  for (const name of COMMAND_NAMES) {
    const { operands, options, stopsItself = false } = COMMANDS[name];
    const command = program.command(`${name} ${operands}`).helpOption(false).allowExcessArguments(false);
    for (const text of options) command.addOption(newOption(text));
    command.action(async () => {
      const run = await MODULES[name]();
      isLeftToCommand = stopsItself;
      exitCode = await run(command.args, command.opts(), process);
    });
  }
  await program.parseAsync(args, { from: 'user' });
  return exitCode;

  function newOption(text: OptionText): InstanceType<typeof Option> {
    const option = new Option(text.flags);
    // The last of two would win, and the first be lost without a word.
    if (option.required) {
      option.argParser((value: string, previous?: string) => once(optionName(text), value, previous));
    }
    return option;
  }
}

function once(name: string, value: string, previous: string | undefined): string {
  if (previous !== undefined) throw usageError('repeatedOption', name);
  return value;
}

function unknownCommand(name: string): Error {
  return usageError('unknownCommand', name);
}

/** In the shape of the parser's own errors; `failure.ts` finds the words. */
function usageError(kind: string, message: string): Error {
  return Object.assign(new Error(message), { code: `relaywatch.${kind}` });
}
