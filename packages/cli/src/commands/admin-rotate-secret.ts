import type { Context } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { withDataFolder, type DataOptions } from '../with-data-folder.ts';

export interface AdminRotateSecretOptions extends DataOptions {
  forgetOld?: boolean;
}

/** Gives a server a new secret; a running one takes it by itself. */
export async function adminRotateSecret(options: AdminRotateSecretOptions, context: Context): Promise<void> {
  const { io } = context;
  const forgetOld = options.forgetOld === true;
  const secretFile = await withDataFolder(options, context, {
    text: 'Rotating the secret',
    writes: true,
    work: async (server, { accounts, secrets, secretFile }) => {
      // With a database, the secret always comes from the variable.
      const fromOutside = secrets !== null || accounts !== null;
      if (fromOutside && options.secretFile === undefined) throw givenFromOutside();
      await server.rotateSecretFile(secretFile, { now: context.now(), forgetOld });
      return secretFile;
    },
  });
  if (options.json === true) return io.printJson({ secret_file: secretFile, forgot_old: forgetOld });
  const sessions = forgetOld ? 'everyone has to log in again' : 'everyone stays logged in';
  io.note(`${secretFile} holds a new secret; a server that runs with this file takes it within 2 s, and ${sessions}.`);
}

function givenFromOutside(): CliError {
  const message =
    'The secret comes from IMGUP_SECRET: put a new one before it there, with a comma between, and start the server again.';
  return new CliError('secret_from_outside', EXIT.failed, message);
}
