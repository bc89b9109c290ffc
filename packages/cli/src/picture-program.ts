import type { Command } from 'commander';
import type { GetOptions } from './commands/get.ts';
import type { ListOptions } from './commands/list.ts';
import type { RmOptions } from './commands/rm.ts';
import type { ShowOptions } from './commands/show.ts';
import type { Context } from './context.ts';
import type { Define } from './define-commands.ts';
import { examples } from './help.ts';
import type { OptionsOf } from './program.ts';

const PICTURE = 'its id, its link, or "last" for the latest upload';

/** What is done with pictures that are on the server. */
export function addPictureCommands(define: Define, context: Context, optionsOf: OptionsOf): void {
  define('list', 'list your pictures', ['ls'])
    ?.description('Lists your pictures, the newest first, with their size, their age and their link.')
    .option('-n, --limit <number>', 'how many (default: 30)')
    .option('-a, --all', 'all of them')
    .addHelpText(
      'after',
      examples(['imgup list'], ['imgup list --limit 5'], ['imgup list --all --json', 'for a script']),
    )
    .action(async (_options, command: Command) => {
      const { list } = await import('./commands/list.ts');
      await list(optionsOf<ListOptions>(command), context);
    });

  define('show', 'show a picture, and what is known of it')
    ?.description('Shows a picture in the terminal, where it can, and what is known of it.')
    .argument('<picture>', PICTURE)
    .option('--as <way>', 'draw it as kitty, iterm2, sixel or blocks (default: as the terminal can)')
    .option('--no-picture', 'show only what is known of it')
    .addHelpText('after', examples(['imgup show last'], ['imgup show last --json', 'for a script']))
    .action(async (picture: string, _options, command: Command) => {
      const { show } = await import('./commands/show.ts');
      await show(picture, optionsOf<ShowOptions>(command), context);
    });

  define('get', 'download pictures')
    ?.description(
      'Downloads pictures and prints the names of their files. A link needs no log-in, and may be of any imgup server.',
    )
    .argument('<picture...>', PICTURE)
    .option('-o, --output <path>', 'a file, a folder that is there, or "-" for stdout (default: its name, here)')
    .option('-w, --width <pixels>', 'a smaller version: 160, 320, 640, 1280 or 2560 wide')
    .option('-f, --force', 'replace a file that is there already')
    .option('-q, --quiet', 'show no progress')
    .addHelpText(
      'after',
      examples(
        ['imgup get last'],
        ['imgup get https://img.example.org/i/5f0c/7zyx.png -o ~/Pictures', "anyone's, by its link"],
        ['imgup get last -o - | display', 'to another program'],
      ),
    )
    .action(async (pictures: string[], _options, command: Command) => {
      const { get } = await import('./commands/get.ts');
      await get(pictures, optionsOf<GetOptions>(command), context);
    });

  define('rm', 'take pictures back')
    ?.description('Deletes pictures from the server, for good: their links are dead at once. Does not ask.')
    .argument('<picture...>', PICTURE)
    .option('-q, --quiet', 'do not say what was removed')
    .addHelpText(
      'after',
      examples(
        ['imgup rm last', 'what was uploaded by mistake'],
        ['imgup rm https://img.example.org/i/5f0c/7zyx.png', 'by its link'],
        ['imgup rm 7zyx3b0v9k2m4q8r6t1w5d0f3h', 'by its id'],
      ),
    )
    .action(async (pictures: string[], _options, command: Command) => {
      const { rm } = await import('./commands/rm.ts');
      await rm(pictures, optionsOf<RmOptions>(command), context);
    });
}
