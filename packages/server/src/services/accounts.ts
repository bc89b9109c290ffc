import { randomBytes } from 'node:crypto';
import { USERNAME_MAX, USERNAME_MIN, USERNAME_PATTERN, type TokensResponse } from '@imgup/shared';
import { AppError } from '../errors.ts';
import type { AccountStore, Session, User } from '../ports/account-store.ts';
import type { Images } from './images.ts';
import type { Passwords } from './passwords.ts';
import { SESSIONS_MAX, type Sessions } from './sessions.ts';

interface AccountsOptions {
  store: AccountStore;
  images: Pick<Images, 'removeAll'>;
  passwords: Passwords;
  sessions: Sessions;
  registration: 'open' | 'closed';
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

export function createAccounts({ store, images, passwords, sessions, registration }: AccountsOptions) {
  return {
    /**
     * Adds a user and logs them in. The first becomes the administrator, and may register where registration is closed.
     *
     * @throws AppError `registration_closed`, `username_invalid`, `username_taken`, `password_*`, `server_busy`
     */
    async register({ username, password, device }: Credentials): Promise<LoggedIn> {
      const onlyFirst = registration === 'closed';
      if (onlyFirst && (await store.listUsers()).length > 0) throw registrationClosed();
      if (!USERNAME_PATTERN.test(username)) {
        const detail = `A name has ${USERNAME_MIN} to ${USERNAME_MAX} letters (a to z), digits, "_", "-" or "."; choose another one.`;
        throw new AppError('username_invalid', detail);
      }
      await passwords.check(password, username);
      // Looked at before hashing, which costs a quarter of a second; the store decides all the same.
      if ((await store.findUserByName(username)) !== null) throw usernameTaken(username);
      const passwordHash = await passwords.hash(password);
      const id = randomBytes(8).toString('hex');
      const draft = sessions.draft(id, device);
      const created = await store.createUser({ id, username, passwordHash }, draft, { onlyFirst });
      if (created === 'not_first') throw registrationClosed();
      if (created === 'username_taken') throw usernameTaken(username);
      return { user: created.user, tokens: await sessions.firstTokens(created.session) };
    },

    /** @throws AppError `wrong_credentials`, alike for an unknown user and a wrong password; `server_busy` */
    async login({ username, password, device }: Credentials): Promise<LoggedIn> {
      const user = await store.findUserByName(username);
      const matches = await passwords.verify(password, user?.passwordHash ?? null);
      if (user === null || !matches) throw wrongCredentials();
      const draft = sessions.draft(user.id, device);
      const session = await store.createSession(draft, user.passwordHash, SESSIONS_MAX);
      // While the password was compared the user was removed, or has chosen another.
      if (session === null) throw wrongCredentials();
      return { user, tokens: await sessions.firstTokens(session) };
    },

    /**
     * Changes a user's password; every session but this one ends.
     *
     * @throws AppError `wrong_password`, `password_*`, `token_revoked`, `server_busy`
     */
    async changePassword(
      { user, session }: { user: User; session: Session },
      current: string,
      next: string,
    ): Promise<void> {
      await passwords.check(next, user.username);
      if (!(await passwords.verify(current, user.passwordHash))) {
        throw new AppError('wrong_password', 'The present password is wrong. Nothing was changed.');
      }
      if (!(await store.setPassword(session, user.passwordHash, await passwords.hash(next)))) {
        throw new AppError(
          'token_revoked',
          'This session has ended, or the password was changed elsewhere. Log in again.',
        );
      }
    },

    /**
     * Removes a user, their sessions and their pictures, which survives an interruption: see `sweepRemovals`.
     *
     * @throws AppError `not_found`, `last_admin`
     */
    async remove(username: string, { keepImages }: { keepImages: boolean }): Promise<void> {
      const user = await store.findUserByName(username);
      const result = user === null ? 'not_found' : await store.deleteUser(user.id, !keepImages);
      if (user === null || result === 'not_found') {
        throw new AppError('not_found', `There is no user "${username}". GET /api/users lists them.`);
      }
      if (result === 'last_admin') {
        throw new AppError('last_admin', 'The last administrator cannot be removed.');
      }
      // An upload under way may yet leave something behind, so it stays noted, and is tried again until it is settled.
      if (!keepImages) await images.removeAll(user.id);
    },

    /** Removes what is left of removed users. One whose files resist does not keep the others. */
    async sweepRemovals(): Promise<void> {
      const removals = (await store.listRemovals()).map(async ({ userId, settled }) => {
        await images.removeAll(userId);
        if (settled) await store.finishRemoval(userId);
      });
      await Promise.allSettled(removals);
      await Promise.all(removals);
    },

    list(): Promise<User[]> {
      return store.listUsers();
    },
  };
}

function registrationClosed(): AppError {
  return new AppError('registration_closed', 'This server takes no registrations. Ask its owner for an account.');
}

function usernameTaken(username: string): AppError {
  return new AppError('username_taken', `The name "${username}" is taken. Choose another one.`);
}

function wrongCredentials(): AppError {
  return new AppError('wrong_credentials', 'The name or the password is wrong.');
}
