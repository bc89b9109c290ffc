import type { Command } from 'commander';
import { addList } from './add-list.ts';
import type { SessionsEndOptions } from './commands/sessions-end.ts';
import type { UsersRmOptions } from './commands/users-rm.ts';
import type { Context } from './context.ts';
import type { Define } from './define-commands.ts';
import { examples } from './help.ts';
import type { OptionsOf } from './program.ts';

/** `imgup sessions …`. */
export function addSessionCommands(define: Define, context: Context, optionsOf: OptionsOf): void {
  const sessions = define('sessions', 'list where you are logged in, and end sessions')
    ?.description('Lists where you are logged in, the latest first.')
    .addHelpText(
      'after',
      examples(
        ['imgup sessions'],
        ['imgup sessions end 3f9a0c1e', 'end one, by the beginning of its id'],
        ['imgup sessions end --others', 'end all but the one that is used here'],
      ),
    );
  if (sessions === undefined) return;

  addList(sessions, async (command) => {
    const list = await import('./commands/sessions.ts');
    await list.sessions(optionsOf(command), context);
  });

  sessions
    .command('end')
    .summary('end one session, or all others')
    .description('Ends a session: whoever uses it has to log in again.')
    .argument('[id]', 'the id, or as much of its beginning as no other session has')
    .option('--others', 'end all but the one that is used here')
    .addHelpText('after', examples(['imgup sessions end 3f9a0c1e'], ['imgup sessions end --others']))
    .action(async (id: string | undefined, _options, command: Command) => {
      const { sessionsEnd } = await import('./commands/sessions-end.ts');
      await sessionsEnd(id, optionsOf<SessionsEndOptions>(command), context);
    });
}

/** `imgup users …`, for administrators. */
export function addUserCommands(define: Define, context: Context, optionsOf: OptionsOf): void {
  const users = define('users', 'list the accounts of the server, and remove them (administrator)')
    ?.description('Lists the accounts of the server. Only its administrator may see them.')
    .addHelpText(
      'after',
      examples(['imgup users'], ['imgup users --json', 'for a script'], ['imgup users rm bob', 'remove an account']),
    );
  if (users === undefined) return;

  addList(users, async (command) => {
    const list = await import('./commands/users.ts');
    await list.users(optionsOf(command), context);
  });

  users
    .command('rm')
    .summary('remove an account and its pictures')
    .description('Removes an account, its sessions and its pictures, for good. Asks before it does.')
    .argument('<name>', 'the name of the account')
    .option('--keep-images', 'leave the pictures, so that their links go on')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['imgup users rm bob'], ['imgup users rm bob --keep-images --yes', 'in a script']))
    .action(async (name: string, _options, command: Command) => {
      const { usersRm } = await import('./commands/users-rm.ts');
      await usersRm(name, optionsOf<UsersRmOptions>(command), context);
    });
}
