import type { Session, UploadKey, User } from './account-store.ts';

/** Everything that an account store holds but the limits, which nobody misses after a minute; each part sorted by id. */
export interface AllAccounts {
  users: User[];
  sessions: Session[];
  keys: UploadKey[];
  /** Revoked access tokens, and when that may be forgotten. */
  revoked: { id: string; until: number }[];
  /** Removed users, and what is to become of their pictures. */
  removals: { userId: string; pictures: 'remove' | 'keep' }[];
}

export function isEmpty({ users, sessions, keys, revoked, removals }: AllAccounts): boolean {
  return [users, sessions, keys, revoked, removals].every((rows: readonly unknown[]) => rows.length === 0);
}

/** The accounts of a store that no server is using, as a whole, for moving them to another. */
export interface AccountArchive {
  /** Where it is, for messages; without a password. */
  place: string;

  /** Whether servers are connected. */
  isInUse(): Promise<boolean>;

  /** One state of it. */
  read(): Promise<AllAccounts>;

  /** Stores all of it or nothing. False, and nothing changed, where anything is there already. */
  fill(accounts: AllAccounts): Promise<boolean>;

  close(): Promise<void>;
}
