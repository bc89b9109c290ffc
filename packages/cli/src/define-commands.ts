import type { Command } from 'commander';

/**
 * Adds a command with its summary, which is all that the list of commands shows.
 *
 * @returns the command, for the rest of it; undefined where it is not what was typed, and the rest would only cost the
 *   start its time
 */
export type Define = (name: string, summary: string, aliases?: string[]) => Command | undefined;

/** @param words what was typed; null: every command is wanted whole */
export function defineCommands(program: Command, words: string[] | null): Define {
  return (name, summary, aliases = []) => {
    const command = program.command(name).summary(summary).aliases(aliases);
    return words === null || [name, ...aliases].some((each) => words.includes(each)) ? command : undefined;
  };
}
