import pg from 'pg';
import { AppError } from '../../errors.ts';

/** Seconds after which a client may try again. */
const RETRY_AFTER = '5';

/**
 * Classes of SQLSTATE that say nothing about the statement: the database is away, starts or stops (08, 57), has no room
 * (53), or two statements were in each other's way (40). See appendix A of PostgreSQL's manual.
 */
const PASSING = /^(08|40|53|57)/;

/**
 * Of a database that refuses a server which it has let in before: its password is being changed (28), its rights (42501),
 * its database was renamed (3D). It is read-only after a failover, for connections that still lead to the old primary (25006),
 * has ended a transaction for its age (25P03, 25P04), or limits the wait for a lock (55P03). None is a bug.
 */
const REFUSING = /^(28|3D|42501|25006|25P0[34]|55P03)/;

/** What to tell a client of a failed statement: AppError `storage_unavailable`; anything else as it is, for it is a bug. */
export function explainFailure(error: unknown): unknown {
  if (error instanceof AppError || !(isPassing(error) || isRefusal(error))) return error;
  const detail = 'The server cannot reach its database at the moment. Try again in a few seconds.';
  return new AppError('storage_unavailable', detail, { headers: { 'Retry-After': RETRY_AFTER }, cause: error });
}

/** Whether it is so only because the database is not there, and not because it refuses us. */
export function isAway(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return isPassing(error);
  if (!(error instanceof Error)) return false;
  // The system's codes (ECONNREFUSED) have no underscore, and those of TLS have.
  if ('code' in error) return /^E[A-Z]+$/.test(String(error.code));
  return /^(Connection terminated|timeout)/.test(error.message);
}

/** Whether the same may well succeed later. */
function isPassing(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    return error.code !== undefined && PASSING.test(error.code);
  }
  // Whatever else pg says (connections that end, time-outs, names that do not resolve) is about the connection.
  // Those of other names (TypeError, say) are bugs.
  return error instanceof Error && ['Error', 'AggregateError'].includes(error.name);
}

function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code !== undefined && REFUSING.test(error.code);
}
