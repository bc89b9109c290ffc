import { CommanderError, type Command } from 'commander';
import type { Context } from './context.ts';
import { explain, usageError, type CliError } from './errors.ts';
import { HELP } from './help-program.ts';
import { HELP_COLUMNS, SHORT_HELP } from './help.ts';
import { createProgram, type GlobalOptions } from './program.ts';
import { unknownCommand } from './unknown-command.ts';

/**
 * Runs one command, and is the only place where an error becomes a message and an exit code.
 *
 * @param args what was typed after `imgup`
 * @returns the exit code
 */
export async function run(args: string[], context: Context): Promise<number> {
  const { io } = context;
  const program = createProgram(context, args);
  throwInsteadOfExiting(program, context);
  try {
    if (args.length === 0) io.stdout.write(SHORT_HELP);
    else await program.parseAsync(args, { from: 'user' }).catch(unlessHelp);
    await io.flush();
    return 0;
  } catch (error) {
    const failure = error instanceof CommanderError ? wrongUsage(error, program, args) : explain(error);
    const { json = wantsJson(program, args), debug = false } = program.opts<GlobalOptions>();
    report(failure, { json: failure.json || json, debug }, context);
    return failure.exitCode;
  }
}

/** For errors of usage, of which commander has not kept the options, and for those of one command only. */
function wantsJson(program: Command, args: string[]): boolean {
  const end = args.indexOf('--');
  const words = end === -1 ? args : args.slice(0, end);
  const options = [program, meantCommand(program, words).command].flatMap((command) => command.options);
  const isValue = (index: number) =>
    options.some(({ required, short, long }) => required && [short, long].includes(words[index - 1]));
  return words.some((word, index) => {
    if (isValue(index)) return word === 'json' && words[index - 1] === '--format';
    return ['--json', '--jsonl', '--format=json'].includes(word);
  });
}

/** commander throws after it has shown help or the version, too. */
function unlessHelp(error: unknown): void {
  if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
}

function report(failure: CliError, { json, debug }: { json: boolean; debug: boolean }, { io }: Context): void {
  const { code, message, exitCode, result } = failure;
  if (json) io.printJson({ ...result, error: { code, message, exit_code: exitCode } });
  io.note(`imgup: ${message}`);
  if (!debug) return;
  for (let error: unknown = failure; error instanceof Error; error = error.cause) {
    for (const line of (error.stack ?? error.message).split('\n')) io.note(line);
  }
}

/** commander would end the process, and print its errors in its own way. */
function throwInsteadOfExiting(program: Command, { io }: Context): void {
  const widthOf = ({ columns = HELP_COLUMNS }: { columns?: number }) => Math.min(columns, HELP_COLUMNS);
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => widthOf(io.stdout),
      getErrHelpWidth: () => widthOf(io.stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  }
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** "error: unknown command 'uplaod'\n(Did you mean upload?)" as one sentence. */
function wrongUsage(error: CommanderError, program: Command, args: string[]): CliError {
  // commander has printed the help of a command that only has others.
  if (error.code === 'commander.help') return usageError('Name one of the commands above.');
  const { command, rest } = meantCommand(program, args);
  const [word] = rest;
  const isSubcommand = error.code === 'commander.excessArguments' && command.commands.length > 0 && word !== undefined;
  const { message } = isSubcommand ? unknownCommand(command, word) : error;
  const words = inOurWords(withoutValue(message.replace(/^error: /, '')));
  const [what = '', suggestion] = words.split('\n');
  const sentence = `${what.charAt(0).toUpperCase()}${what.slice(1).replace(/\.$/, '')}`;
  const names = namesOf(command);
  const help = ['imgup', ...names, '--help'].join(' ');
  return usageError(`${sentence}${suggestion === undefined ? '' : ` ${suggestion}`}. See \`${help}\`.`);
}

/** The command that was meant, and what was typed behind its name. */
function meantCommand(command: Command, args: string[]): { command: Command; rest: string[] } {
  for (const [index, word] of args.entries()) {
    const meant = command.commands.find((known) => known.name() === word || known.aliases().includes(word));
    // What stands behind it is what is meant.
    if (meant?.name() === HELP) return meantCommand(command, args.slice(index + 1));
    if (meant !== undefined) return meantCommand(meant, args.slice(index + 1));
  }
  return { command, rest: args };
}

/** "users", "rm". */
function namesOf(command: Command): string[] {
  return command.parent === null ? [] : [...namesOf(command.parent), command.name()];
}

/** `--password=secret` is no option, and the secret is repeated to nobody. */
function withoutValue(message: string): string {
  return message.replace(/'(--[^\s=']+)=[^\n]*'/, "'$1'");
}

/** Of the one message of commander's that is about how it works. */
function inOurWords(message: string): string {
  return message.replace(
    /^command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*)\.$/,
    'the $2 is "$1"; give one of $3',
  );
}
