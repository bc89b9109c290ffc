import { Argument, type Command } from 'commander';
import type { Shell } from './commands/completion.ts';
import type { Context } from './context.ts';
import type { Define } from './define-commands.ts';
import { examples } from './help.ts';
import type { OptionsOf } from './program.ts';

interface SetupOptions {
  optionsOf: OptionsOf;
  version: string;
}

const SETTING = 'its name, as `imgup config list` shows it';

/** What the shells' scripts ask. */
export const COMPLETION = 'completion-server';

/** How this program is set up on a person's machine. */
export function addSetupCommands(
  program: Command,
  define: Define,
  context: Context,
  { optionsOf, version }: SetupOptions,
): void {
  define('accounts', 'list the log-ins on this machine')
    ?.description('Lists the servers where you are logged in on this machine, and as whom.')
    .addHelpText('after', examples(['imgup accounts'], ['imgup accounts --json', 'for a script']))
    .action(async (_options, command: Command) => {
      const { accounts } = await import('./commands/accounts.ts');
      await accounts(optionsOf(command), context);
    });

  define('use', 'choose among several servers and accounts')
    ?.description('Chooses the server, or the account at it, that the commands which follow are for.')
    .argument('<account-or-server>', 'a name, or the address of a server')
    .addHelpText(
      'after',
      examples(
        ['imgup use https://img.example.org', 'another server'],
        ['imgup use bob', 'another account at the server in use'],
        ['imgup use https://img.example.org --account bob', 'both'],
      ),
    )
    .action(async (chosen: string, _options, command: Command) => {
      const { use } = await import('./commands/use.ts');
      await use(chosen, optionsOf(command), context);
    });

  addConfigCommands(define, context, optionsOf);

  define('doctor', 'find out why something does not work')
    ?.description('Looks at everything that an upload needs, and says what to do where it is not well.')
    .addHelpText('after', examples(['imgup doctor'], ['imgup doctor --json', 'for a report']))
    .action(async (_options, command: Command) => {
      const { doctor } = await import('./commands/doctor.ts');
      await doctor(version, optionsOf(command), context);
    });

  define('completion', 'make the Tab key complete commands and options')
    ?.description('Prints the script that makes a shell complete commands, options and file names.')
    .addArgument(new Argument('<shell>', 'which one').choices(['bash', 'zsh', 'fish', 'powershell']))
    .addHelpText(
      'after',
      examples(
        ['source <(imgup completion bash)', 'in ~/.bashrc'],
        ['source <(imgup completion zsh)', 'in ~/.zshrc, after compinit'],
        ['imgup completion fish > ~/.config/fish/completions/imgup.fish'],
        ['imgup completion powershell | Out-String | Invoke-Expression', 'in $PROFILE'],
      ),
    )
    .action(async (shell: Shell) => {
      const { completion } = await import('./commands/completion.ts');
      completion(shell, context);
    });

  // What the scripts ask.
  program
    .command(COMPLETION, { hidden: true })
    .argument('[word...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const { answerLines, completions, typedLine } = await import('./completion.ts');
      const { completionValues } = await import('./completion-values.ts');
      const line = typedLine(words, context.config().env);
      const settings = await (await context.settings()).read().catch(() => ({ accounts: {} }));
      const found = completions(program, line.words, completionValues(settings));
      for (const answer of answerLines(found, line.shell)) context.io.stdout.write(`${answer}\n`);
    });
}

function addConfigCommands(define: Define, context: Context, optionsOf: OptionsOf): void {
  const config = define('config', 'read and change settings')
    ?.description('Reads and changes what commands do when their options say nothing.')
    .addHelpText('after', examples(['imgup config list'], ['imgup config set expires 30d']));
  if (config === undefined) return;

  config
    .command('list')
    .summary('show all settings')
    .description('Shows all settings, and what each is for.')
    .addHelpText('after', examples(['imgup config list'], ['imgup config list --json', 'for a script']))
    .action(async (_options, command: Command) => {
      const { configList } = await import('./commands/config.ts');
      await configList(optionsOf(command), context);
    });

  config
    .command('get')
    .summary('print one setting')
    .description('Prints the value of a setting, and nothing else.')
    .argument('<setting>', SETTING)
    .addHelpText('after', examples(['imgup config get server']))
    .action(async (name: string, _options, command: Command) => {
      const { configGet } = await import('./commands/config.ts');
      await configGet(name, optionsOf(command), context);
    });

  config
    .command('set')
    .summary('change one setting')
    .description('Changes a setting, for all commands that follow.')
    .argument('<setting>', SETTING)
    .argument('<value>', 'what it is from now on')
    .addHelpText(
      'after',
      examples(
        ['imgup config set expires 30d', 'links of all uploads end after a month'],
        ['imgup config set format markdown'],
        ['imgup config set copy true', 'links go to the clipboard, too'],
      ),
    )
    .action(async (name: string, value: string, _options, command: Command) => {
      const { configSet } = await import('./commands/config.ts');
      await configSet(name, value, optionsOf(command), context);
    });

  config
    .command('unset')
    .summary('take one setting back')
    .description('Takes a setting back, so that what the program comes with holds.')
    .argument('<setting>', SETTING)
    .addHelpText('after', examples(['imgup config unset expires']))
    .action(async (name: string, _options, command: Command) => {
      const { configSet } = await import('./commands/config.ts');
      await configSet(name, undefined, optionsOf(command), context);
    });
}
