import type { Command } from 'commander';
import type { AdminCheckOptions } from './commands/admin-check.ts';
import type { AdminMigrateOptions } from './commands/admin-migrate.ts';
import type { AdminRotateSecretOptions } from './commands/admin-rotate-secret.ts';
import type { Context } from './context.ts';
import type { Define } from './define-commands.ts';
import { examples } from './help.ts';
import type { OptionsOf } from './program.ts';
import type { DataOptions } from './with-data-folder.ts';

/** `imgup admin …`: the work of whoever runs a server, done on its data folder and not over HTTP. */
export function addAdminCommands(define: Define, context: Context, optionsOf: OptionsOf): void {
  const admin = define('admin', "check, back up, restore and move a server's data")
    ?.description("Checks, backs up, restores and moves a server's data, on the machine where it is.")
    .addHelpText('after', examples(['imgup admin backup imgup.tar'], ['imgup admin check']));
  if (admin === undefined) return;

  withData(admin.command('check'))
    .summary('look for damage, and mend it')
    .description('Reads all accounts and pictures, and prints what is wrong; 1 is the exit code if anything is left.')
    .option('--repair', 'mend it; the server must be stopped, and no picture is deleted but moved to lost+found')
    .addHelpText(
      'after',
      examples(
        ['imgup admin check', 'also while the server runs'],
        ['imgup admin check --repair --data /srv/imgup', 'with the server stopped'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { adminCheck } = await import('./commands/admin-check.ts');
      await adminCheck(optionsOf<AdminCheckOptions>(command), context);
    });

  withData(admin.command('backup'))
    .summary('copy all accounts and pictures')
    .description('Copies accounts, secret and pictures, also while the server runs, and reads the copy back.')
    .argument('<target>', 'a folder, or a file that ends in .tar; must not exist')
    .addHelpText(
      'after',
      examples(
        ['imgup admin backup /backup/imgup-$(date +%F)', 'as a folder'],
        ['imgup admin backup imgup.tar --data /srv/imgup', 'as one file'],
      ),
    )
    .action(async (target: string, _options, command: Command) => {
      const { adminBackup } = await import('./commands/admin-backup.ts');
      await adminBackup(target, optionsOf<DataOptions>(command), context);
    });

  withData(admin.command('restore'))
    .summary('fill an empty data folder from a backup')
    .description('Fills an empty data folder from a backup, which is verified before any of it counts.')
    .argument('<backup>', 'what `imgup admin backup` has made')
    .addHelpText(
      'after',
      examples(['imgup admin restore imgup.tar'], ['imgup admin restore imgup.tar --data /srv/new']),
    )
    .action(async (source: string, _options, command: Command) => {
      const { adminRestore } = await import('./commands/admin-restore.ts');
      await adminRestore(source, optionsOf<DataOptions>(command), context);
    });

  admin
    .command('migrate')
    .summary('move the data to a database and an S3 store, or back')
    .description(
      `Moves accounts to PostgreSQL and pictures to an S3 store, or back, with the servers stopped, and reads all of it back.
Interrupted, it goes on when it is run again. The source stays as it is, and no server starts on a folder that was moved.`,
    )
    .option('--from <folder>', 'the data folder to move')
    .option('--to <folder>', 'the data folder to fill; must not exist or be empty')
    .option('--accounts <url>', 'the database, as `imgup serve` takes it')
    .option('--images <url>', 'the S3 store, as `imgup serve` takes it')
    .option('--secret-file <file>', 'where the secret is (default: in the data folder)')
    .addHelpText('after', '\nIMGUP_ACCOUNTS and IMGUP_IMAGES are taken where neither option is given.')
    .addHelpText(
      'after',
      examples(
        ['imgup admin migrate --from DIR --accounts URL --images URL', 'accounts and pictures'],
        ['imgup admin migrate --from DIR --images s3://…', 'the pictures alone'],
        ['imgup admin migrate --to DIR --accounts URL --images URL', 'and back'],
      ),
    )
    .action(async (_options, command: Command) => {
      const { adminMigrate } = await import('./commands/admin-migrate.ts');
      await adminMigrate(optionsOf<AdminMigrateOptions>(command), context);
    });

  withData(admin.command('rotate-secret'))
    .summary('replace the secret that tokens are made with')
    .description('Makes a new secret, which a running server takes within 2 s. Sessions go on.')
    .option('--secret-file <file>', 'where the secret is (default: in the data folder)')
    .option('--forget-old', 'end every session: for a secret that others have seen')
    .addHelpText('after', examples(['imgup admin rotate-secret'], ['imgup admin rotate-secret --forget-old']))
    .action(async (_options, command: Command) => {
      const { adminRotateSecret } = await import('./commands/admin-rotate-secret.ts');
      await adminRotateSecret(optionsOf<AdminRotateSecretOptions>(command), context);
    });
}

function withData(command: Command): Command {
  return command.option('--data <folder>', 'where the server keeps everything (default: that of `imgup serve`)');
}
