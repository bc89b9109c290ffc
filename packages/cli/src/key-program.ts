import { Argument, type Command } from 'commander';
import type { IntegrateOptions, Tool } from './commands/integrate.ts';
import type { Context } from './context.ts';
import type { Define } from './define-commands.ts';
import { addList } from './add-list.ts';
import { examples } from './help.ts';
import type { OptionsOf } from './program.ts';

/** `imgup keys …` and `imgup integrate`: other programs that upload, with keys that do nothing else. */
export function addKeyCommands(define: Define, context: Context, optionsOf: OptionsOf): void {
  define('integrate', 'print the configuration of another program that uploads')
    ?.description(
      'Prints the configuration with which another program uploads to your server, with an upload key made for it, and says where to put it.',
    )
    .addArgument(new Argument('<tool>', 'which program').choices(TOOLS))
    .option('--key <key>', 'use this upload key (default: make one, called as the program)')
    .addHelpText(
      'after',
      examples(
        ['imgup integrate sharex > imgup.sxcu', 'for ShareX, on Windows'],
        ['imgup integrate flameshot > screenshot.sh', 'a script for Flameshot, grim, maim …'],
        ['imgup integrate picgo', 'for PicGo, and the editors that use it'],
        ['imgup integrate curl', 'a command line'],
      ),
    )
    .action(async (tool: Tool, _options, command: Command) => {
      const { integrate } = await import('./commands/integrate.ts');
      await integrate(tool, optionsOf<IntegrateOptions>(command), context);
    });

  const keys = define('keys', 'list, make and revoke keys for programs that upload')
    ?.description(
      'Lists your upload keys, the latest first. A key uploads as you, within your limit, and does nothing else. It lives until it is revoked, also when you log out or change your password.',
    )
    .addHelpText(
      'after',
      examples(
        ['imgup keys'],
        ['imgup keys create "my blog"', 'make one'],
        ['imgup keys revoke "my blog"', 'end it, at once'],
        ['IMGUP_TOKEN=imgup_… imgup upload photo.png', 'use one, in a script on another machine'],
      ),
    );
  if (keys === undefined) return;

  addList(keys, async (command) => {
    const list = await import('./commands/keys.ts');
    await list.keys(optionsOf(command), context);
  });

  keys
    .command('create')
    .summary('make an upload key')
    .description('Makes an upload key and prints it, which happens this once: the server keeps only a hash of it.')
    .argument('<name>', 'what it is for, as `imgup keys` will list it')
    .addHelpText(
      'after',
      examples(
        ['imgup keys create "my blog"', 'prints the key'],
        ['imgup keys create backup > key.txt', 'the key, and nothing else, is in the file'],
      ),
    )
    .action(async (name: string, _options, command: Command) => {
      const { keysCreate } = await import('./commands/keys-create.ts');
      await keysCreate(name, optionsOf(command), context);
    });

  keys
    .command('revoke')
    .summary('end an upload key')
    .description('Ends an upload key: whatever uses it is refused from now on.')
    .argument('<id|name>', 'its name, its id, or as much of its beginning as no other has')
    .addHelpText('after', examples(['imgup keys revoke "my blog"'], ['imgup keys revoke 3f9a0c1e']))
    .action(async (wanted: string, _options, command: Command) => {
      const { keysRevoke } = await import('./commands/keys-revoke.ts');
      await keysRevoke(wanted, optionsOf(command), context);
    });
}

const TOOLS = ['sharex', 'flameshot', 'picgo', 'curl'] as const satisfies Tool[];
