import { randomBytes } from 'node:crypto';
import { USERNAME_MAX, USERNAME_MIN, USERNAME_PATTERN, type TokensResponse } from '@imgup/shared';
import { AppError } from '../errors.ts';
import type { AccountStore, User } from '../ports/account-store.ts';
import type { Passwords } from './passwords.ts';
import type { Sessions } from './sessions.ts';

interface AccountsOptions {
  store: AccountStore;
  passwords: Passwords;
  sessions: Sessions;
  registration: 'open' | 'closed';
  now: () => number;
}

interface Credentials {
  username: string;
  password: string;
  /** What the person calls the machine they log in from. */
  device: string | null;
}

interface LoggedIn {
  user: User;
  tokens: TokensResponse;
}

export type Accounts = ReturnType<typeof createAccounts>;

export function createAccounts({ store, passwords, sessions, registration, now }: AccountsOptions) {
  return {
    /**
     * Adds a user and logs them in. The first becomes the administrator, and may register where registration is closed.
     *
     * @throws AppError `registration_closed`, `username_invalid`, `username_taken`, `password_*`, `server_busy`
     */
    async register({ username, password, device }: Credentials): Promise<LoggedIn> {
      if (registration === 'closed' && (await store.listUsers()).length > 0) {
        throw new AppError('registration_closed', 'This server takes no registrations. Ask its owner for an account.');
      }
      if (!USERNAME_PATTERN.test(username)) {
        const detail = `A name has ${USERNAME_MIN} to ${USERNAME_MAX} letters (a to z), digits, "_", "-" or "."; choose another one.`;
        throw new AppError('username_invalid', detail);
      }
      await passwords.check(password, username);
      // Looked at before hashing, which costs a quarter of a second; the store decides all the same.
      if ((await store.findUserByName(username)) !== null) throw usernameTaken(username);
      const passwordHash = await passwords.hash(password);
      const id = randomBytes(8).toString('hex');
      const session = sessions.draft(id, device);
      const user = await store.createUser({ id, username, passwordHash, createdAt: now() }, session);
      if (user === null) throw usernameTaken(username);
      return { user, tokens: await sessions.issueTokens(session) };
    },

    /** @throws AppError `wrong_credentials`, alike for an unknown user and a wrong password; `server_busy` */
    async login({ username, password, device }: Credentials): Promise<LoggedIn> {
      const user = await store.findUserByName(username);
      const matches = await passwords.verify(password, user?.passwordHash ?? null);
      if (user === null || !matches) throw wrongCredentials();
      const session = sessions.draft(user.id, device);
      // The user may have been deleted while the password was compared.
      if (!(await store.createSession(session))) throw wrongCredentials();
      return { user, tokens: await sessions.issueTokens(session) };
    },

    list(): Promise<User[]> {
      return store.listUsers();
    },
  };
}

function usernameTaken(username: string): AppError {
  return new AppError('username_taken', `The name "${username}" is taken. Choose another one.`);
}

function wrongCredentials(): AppError {
  return new AppError('wrong_credentials', 'The name or the password is wrong.');
}
