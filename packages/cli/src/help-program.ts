import type { Command } from 'commander';
import { examples } from './help.ts';
import { unknownCommand } from './unknown-command.ts';

export const HELP = 'help';

/** `imgup help [command...]`, in place of commander's, which takes one word and is silent about a wrong one. */
export function addHelpCommand(program: Command): void {
  add(program, { hidden: false });
  // `imgup users help rm` is not shown, and does what it says all the same.
  for (const command of program.commands) if (command.commands.length > 0) add(command, { hidden: true });
}

function add(above: Command, { hidden }: { hidden: boolean }): void {
  above.helpCommand(false);
  above
    .command(HELP, { hidden })
    .summary('print the help of a command')
    .description('Prints the help of a command, as --help behind its name does.')
    .argument('[command...]', 'which one: "upload", or "config set"')
    .addHelpText('after', examples(['imgup help upload'], ['imgup help config set']))
    .action((words: string[]) => {
      let command = above;
      for (const word of words) {
        const below = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
        if (below === undefined) throw unknownCommand(command, word);
        command = below;
      }
      command.outputHelp();
    });
}
