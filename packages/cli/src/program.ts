import { DEFAULT_SERVER } from '@imgup/shared/constants';
import { Command, type Argument } from 'commander';
import { addSessionCommands, addUserCommands } from './account-program.ts';
import { addAdminCommands } from './admin-program.ts';
import type { BeginSessionOptions } from './begin-session.ts';
import type { PasswdOptions } from './commands/passwd.ts';
import type { UploadOptions } from './commands/upload.ts';
import type { WatchOptions } from './commands/watch.ts';
import type { Context } from './context.ts';
import { defineCommands } from './define-commands.ts';
import type { EndSessionOptions } from './end-session.ts';
import { FORMAT_NAMES } from './upload/format.ts';
import { addHelpCommand } from './help-program.ts';
import { EXIT_CODES, examples, FIRST_STEPS } from './help.ts';
import { addKeyCommands } from './key-program.ts';
import { addPictureCommands } from './picture-program.ts';
import { addSetupCommands, COMPLETION } from './setup-program.ts';
import { readVersion } from './version.ts';

const FORMAT = `${FORMAT_NAMES.join(', ')}, or a template such as '{url} {name}' (default: url)`;

/** The options of every command, before or after its name. */
export interface GlobalOptions {
  server?: string;
  account?: string;
  insecureHttp?: boolean;
  json?: boolean;
  debug?: boolean;
  /** False with `--no-color`, or where `NO_COLOR` is set. */
  color: boolean;
}

/** The options as a command is given them, the global ones included. */
export type OptionsOf = <Options extends GlobalOptions>(command: Command) => Options;

/**
 * The command tree. Each command's own code is loaded when it is run, so that help is instant.
 *
 * @param words what was typed: commands that are not named have a summary and nothing more; null: all are whole
 */
export function createProgram(context: Context, words: string[] | null = null): Command {
  const program = new Command('imgup')
    .description('Puts a picture on a server of yours, and prints its link.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print the help')
    .option('--server <url>', `the server (default: IMGUP_SERVER, the one of the last login, ${DEFAULT_SERVER})`)
    .option('--account <name>', 'which of several log-ins at the server (default: the last)')
    .option('--insecure-http', 'send passwords and tokens unencrypted, in a network that you trust')
    .option('--json', 'print the result, or the error, as one JSON document')
    .option('--debug', 'show the HTTP conversation (secrets blotted out) and stack traces')
    .option('--no-color', 'print without colours')
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 20, subcommandTerm })
    .addHelpText('after', `${FIRST_STEPS}\n${EXIT_CODES}`);

  const optionsOf: OptionsOf = <Options extends GlobalOptions>(command: Command): Options => {
    const options = command.optsWithGlobals<Options>();
    return { ...options, color: options.color && context.config().color };
  };

  const define = defineCommands(program, words?.includes(COMPLETION) === true ? null : words);

  define('serve', 'start a server')
    ?.description('Starts a server, which keeps accounts and pictures in a folder until it is stopped with Ctrl-C.')
    .option('--port <number>', 'port to listen on (default: 4747)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--data <folder>', "where everything is kept (default: this system's folder for data)")
    .option('--public-url <url>', 'what links begin with, where it is not the address that uploads come to')
    .option('--upload-limit <rate>', 'uploads a user may make (default: 5/min)')
    .option('--login-limit <rate>', 'log-ins to one account from one address (default: 10/min)')
    .option('--access-ttl <time>', 'life of an access token, 5m to 15m (default: 10m)')
    .option('--max-size <size>', 'largest picture (default: 25MB)')
    .option('--max-pixels <number>', 'most pixels of a picture, in all its frames (default: 64M)')
    .option('--verify <how>', '"full" decodes uploads before they count, "header" trusts them (default: full)')
    .option('--quota <size>', 'what a user may have stored (default: none)')
    .option('--images <url>', 'keep pictures on an S3 store, s3://bucket/prefix (default: in the data folder)')
    .option('--serve-images <how>', 'with --images: "stream", or "redirect" readers to the store (default: stream)')
    .option('--cache-size <size>', 'what smaller versions of pictures may take on the disk (default: 1GB)')
    .option('--min-free <size>', 'what uploads must leave free on the disk (default: 200MB)')
    .option('--registration <who>', '"open" or "closed" (default: open)')
    .option('--trust-proxy <networks>', 'proxies whose X-Forwarded-For counts, such as 10.0.0.0/8,::1 (default: none)')
    .option(
      '--accounts <url>',
      'PostgreSQL for accounts and limits, which many servers may share (default: in the folder)',
    )
    .option('--log-level <level>', 'debug, info, warn, error or silent (default: info)')
    .option('--secret-file <file>', 'the 32-byte secret that keys come from (default: made in the data folder)')
    .option('--metrics-token-file <file>', 'the token that /metrics asks for (default: no metrics)')
    .addHelpText(
      'after',
      examples(
        ['imgup serve', 'for yourself, on this machine'],
        ['imgup serve --host 0.0.0.0 --public-url https://img.example.org', 'behind a proxy that speaks https'],
        ['IMGUP_UPLOAD_LIMIT=30/min imgup serve', 'each option is also a variable'],
        ['IMGUP_ACCOUNTS=postgres://… IMGUP_SECRET=… imgup serve', 'one of several servers'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { serve } = await import('./commands/serve.ts');
      await serve({ ...optionsOf(command), settings: settingsOf(command) }, context);
    });

  withAccountOptions(define('register', 'make an account'))
    ?.description(
      'Makes an account at a server, and logs in with it. The first account of a server is its administrator.',
    )
    .addHelpText(
      'after',
      examples(
        ['imgup register', 'asks for a name and a password'],
        ['imgup register --username ada --password-stdin < password.txt', 'in a script'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { register } = await import('./commands/register.ts');
      await register(optionsOf<BeginSessionOptions>(command), context);
    });

  withAccountOptions(define('login', 'log in'))
    ?.description('Logs in at a server. A server named with --server is remembered for the commands that follow.')
    .addHelpText(
      'after',
      examples(
        ['imgup login --server https://img.example.org', 'at another server, from now on'],
        ['imgup login --username ada --password-stdin < password.txt', 'in a script'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { login } = await import('./commands/login.ts');
      await login(optionsOf<BeginSessionOptions>(command), context);
    });

  define('upload', 'put pictures on the server')
    ?.description(
      'Puts pictures on the server, and prints their links and nothing else, in the order asked. What the server has already is not sent again, so the same command finishes what was interrupted.',
    )
    .argument('[file...]', 'the pictures; "-" reads one from stdin')
    .option('-r, --recursive', 'also the pictures in folders, without hidden ones')
    .option('--include <glob>', 'in folders only what matches; may be repeated', collect)
    .option('--exclude <glob>', 'in folders not what matches; may be repeated', collect)
    .option('--files-from <list>', 'also the files that a file (16 MB at most) names, a line each; "-" for stdin')
    .option('--from-clipboard', 'also the picture on the clipboard')
    .option('--name <name>', 'what the picture is called (default: as its file)')
    .option('--keep-metadata', 'publish where, when and with what it was taken, too')
    .option('--expires <time>', 'how long the link lives, 10m to 365d or never (default: never)')
    .option('--no-wait', 'stop where the upload limit is reached, with exit code 6, rather than wait')
    .option('--delete-after', 'delete each file once the server has confirmed its digest')
    .option('--format <format>', FORMAT)
    .option('--jsonl', 'print a JSON document a line, as soon as each file is done')
    .option('--copy', 'put the links on the clipboard too')
    .option('--no-copy', 'do not, whatever `imgup config` says')
    .option('--open', 'open the links in the browser')
    .option('--qr', 'show each link as a QR code, on stderr')
    .option('-q, --quiet', 'show no progress, and not what was removed')
    .option('-v, --verbose', 'say what happens to each file')
    .addHelpText(
      'after',
      examples(
        ['imgup upload photo.jpg', 'prints the link'],
        ['imgup upload *.png holiday.jpg', 'waits where the upload limit is reached, and goes on'],
        ['imgup upload -r Pictures --exclude "*draft*"', 'a folder'],
        ['grim - | imgup upload - --name screen.png --copy', 'a screenshot, its link on the clipboard'],
        ['imgup upload receipt.png --expires 7d', 'gone after a week'],
        ['imgup upload *.jpg --format markdown', 'to paste into a text'],
        ['imgup upload *.jpg --json', 'everything that is known of each picture'],
      ),
    )
    .action(async (files: string[], _options, command: Command) => {
      const { upload } = await import('./commands/upload.ts');
      await upload(files, optionsOf<UploadOptions>(command), context);
    });

  define('watch', 'upload what appears in a folder')
    ?.description('Uploads each picture that appears in a folder, once it is whole, and prints its link; until Ctrl-C.')
    .argument('<folder>', 'where pictures appear')
    .option('-r, --recursive', 'also in the folders in it whose names are UTF-8')
    .option('--existing', 'also what is there already')
    .option('--keep-metadata', 'publish where, when and with what they were taken, too')
    .option('--expires <time>', 'how long the links live, 10m to 365d or never (default: never)')
    .option('--delete-after', 'delete each file once the server has confirmed its digest')
    .option('--format <format>', FORMAT)
    .option('--copy', 'put each link on the clipboard too')
    .option('--no-copy', 'do not, whatever `imgup config` says')
    .option('-q, --quiet', 'print links and failures only')
    .option('-v, --verbose', 'say what happens to each file')
    .addHelpText(
      'after',
      examples(
        ['imgup watch ~/Pictures/Screenshots --copy', 'the link of each screenshot, ready to paste'],
        ['imgup watch outbox --existing --delete-after', 'a folder that is emptied'],
      ),
    )
    .action(async (folder: string, _options, command: Command) => {
      const { watch } = await import('./commands/watch.ts');
      await watch(folder, optionsOf<WatchOptions>(command), context);
    });

  addPictureCommands(define, context, optionsOf);

  define('logout', 'log out')
    ?.description('Ends the session at the server, and forgets its tokens here. Upload keys go on: see `imgup keys`.')
    .option('--all', 'end your sessions on other machines too')
    .addHelpText(
      'after',
      examples(
        ['imgup logout'],
        ['imgup logout --account ada', 'one of several log-ins'],
        ['imgup logout --all', 'when a machine was lost'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { logout } = await import('./commands/logout.ts');
      await logout(optionsOf<EndSessionOptions>(command), context);
    });

  define('whoami', 'show who is logged in')
    ?.description('Shows who is logged in, where, until when, and how many uploads are left.')
    .addHelpText('after', examples(['imgup whoami'], ['imgup whoami --json', 'for a script']))
    .action(async (_options, command: Command) => {
      const { whoami } = await import('./commands/whoami.ts');
      await whoami(optionsOf(command), context);
    });

  addSessionCommands(define, context, optionsOf);

  define('passwd', 'change your password')
    ?.description(
      'Changes your password, and ends your sessions on other machines. Upload keys go on: `imgup keys revoke` ends them.',
    )
    .option('--password-stdin', 'read the present password and the new one from the first two lines of stdin')
    .addHelpText(
      'after',
      examples(
        ['imgup passwd', 'asks for the present password and the new one'],
        ['cat old.txt new.txt | imgup passwd --password-stdin', 'in a script'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { passwd } = await import('./commands/passwd.ts');
      await passwd(optionsOf<PasswdOptions>(command), context);
    });

  addUserCommands(define, context, optionsOf);
  addKeyCommands(define, context, optionsOf);
  addSetupCommands(program, define, context, { optionsOf, version: readVersion() });
  addAdminCommands(define, context, optionsOf);
  addHelpCommand(program);
  return program;
}

/** A command that belongs to another is shown with what it takes; of the others, the name is enough to find them by. */
function subcommandTerm(command: Command): string {
  const names = [command.name(), ...command.aliases()].join(', ');
  const args = command.parent?.parent === null ? [] : command.registeredArguments.map(humanReadableArgName);
  return [names, ...args].join(' ');
}

function humanReadableArgName(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** The command's own options that were given, by their names without the dashes. */
function settingsOf(command: Command): Record<string, string> {
  const given = command.options.map(
    (option) => [option.name(), command.getOptionValue(option.attributeName())] as const,
  );
  return Object.fromEntries(given.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** The values of an option that may be repeated. */
function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function withAccountOptions(command: Command | undefined): Command | undefined {
  return command
    ?.option('--username <name>', 'the name of the account (default: asked for)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .option('--device <name>', 'what this log-in is listed as (default: the name of this machine)');
}
