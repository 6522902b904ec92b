/**
 * The command line: parses options, nothing else. Loaded at every start, so all that a command needs, the
 * parser too, comes when a command runs.
 */

import { helpText } from './config/help.ts';
import { optionName, type RawScanOptions, SCAN_OPTIONS } from './config/options.ts';

const EXIT_INTERRUPTED = 130;
const EXIT_TERMINATED = 143;

/** Ends at once; what has temporary files removes them on `exit`. */
process.on('SIGINT', () => process.exit(EXIT_INTERRUPTED));
process.on('SIGTERM', () => process.exit(EXIT_TERMINATED));
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
  const scan = program
    .command('scan')
    .helpOption(false)
    .argument('[PATH...]')
    .action(async (paths: string[], options: RawScanOptions) => {
      const { runScan } = await import('./runtime/scan-command.ts');
      exitCode = await runScan(paths, options, process);
    });
  for (const text of SCAN_OPTIONS) {
    const option = new Option(text.flags);
    // The last of two would win, and the first be lost without a word.
    if (option.required)
      option.argParser((value: string, previous?: string) => once(optionName(text), value, previous));
    scan.addOption(option);
  }
  await program.parseAsync(args, { from: 'user' });
  return exitCode;
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
