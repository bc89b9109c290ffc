import type pg from 'pg';
import { parse, toClientConfig } from 'pg-connection-string';
import { StartError } from '../../errors.ts';

/**
 * Reads the URL of a database. `sslmode` and its like mean what PostgreSQL's manual says they do (section "SSL Support" of
 * libpq): `require` encrypts, `verify-full` with `sslrootcert` makes sure of the server too.
 *
 * @throws StartError `config_invalid`, which never shows the URL: it holds a password
 */
export function readConnectionSettings(url: string): pg.ClientConfig {
  try {
    // What is behind it would be taken for the host and the database, and be told in messages.
    if (/#|^[^?]*:\/\/[^/?]*\/[^?]*@/.test(url)) throw new Error('a password in it ends too early');
    const ownMeaning = /[?&]uselibpqcompat=/.test(url);
    return toClientConfig(parse(url, ownMeaning ? {} : { useLibpqCompat: true }));
  } catch (error) {
    const reason = error instanceof Error && !('input' in error) ? error.message : 'it is no URL';
    const message = `The URL of --accounts (IMGUP_ACCOUNTS) cannot be used: ${reason}. It looks like postgres://user:password@host:5432/database?sslmode=verify-full; special characters of a password are written as %XX.`;
    throw new StartError('config_invalid', message);
  }
}

/** Where a database is, for messages: without user and password. */
export function describePlace({ host, port, database }: pg.ClientConfig): string {
  return `${host ?? 'localhost'}:${port ?? 5432}${database ? `, database ${database}` : ''}`;
}
