import type { Command } from 'commander';
import { examples } from './help.ts';

/** What a command does alone, and what its subcommand `list` does for those who type that. */
export function addList(command: Command, list: (command: Command) => Promise<void>): void {
  const action = (_options: unknown, chosen: Command) => list(chosen);
  const name = command.name();
  command.action(action);
  command
    .command('list')
    .summary(`as \`imgup ${name}\` alone`)
    .description(`Does what \`imgup ${name}\` does alone.`)
    .addHelpText('after', examples([`imgup ${name} list`], [`imgup ${name} list --json`, 'for a script']))
    .action(action);
}
