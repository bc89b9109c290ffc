import { Command } from 'commander';

/** What commander says of a word that is none of a command's own, with the nearest that is: it has no public way to ask. */
export function unknownCommand(command: Command, word: string): Error {
  const bare = new Command().exitOverride().configureOutput({ outputError: () => undefined });
  for (const known of command.commands) bare.command(known.name());
  try {
    bare.parse([word], { from: 'user' });
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return new Error(`unknown command '${word}'`);
}
