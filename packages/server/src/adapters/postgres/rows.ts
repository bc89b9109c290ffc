import type { Session, UploadKey, User } from '../../ports/account-store.ts';

/** What `USER` selects. */
export interface UserRow {
  user_id: string;
  username: string;
  role: User['role'];
  password_hash: string;
  user_created_at: number;
}

/** The columns of a user `u`. */
export const USER = 'u.id AS user_id, u.username, u.role, u.password_hash, u.created_at AS user_created_at';

export function userOf(row: UserRow): User {
  return {
    id: row.user_id,
    username: row.username,
    role: row.role,
    passwordHash: row.password_hash,
    createdAt: row.user_created_at,
  };
}

/** What `SESSION` selects. */
export interface SessionRow {
  session_id: string;
  session_user_id: string;
  counter: number;
  seen_at: number | null;
  rotated_at: number;
  session_created_at: number;
  session_used_at: number;
  device: string | null;
}

/** The columns of a session `s`. */
export const SESSION = `s.id AS session_id, s.user_id AS session_user_id, s.counter, s.seen_at, s.rotated_at,
  s.created_at AS session_created_at, s.last_used_at AS session_used_at, s.device`;

export function sessionOf(row: SessionRow): Session {
  return {
    id: row.session_id,
    userId: row.session_user_id,
    counter: row.counter,
    seenAt: row.seen_at,
    rotatedAt: row.rotated_at,
    createdAt: row.session_created_at,
    lastUsedAt: row.session_used_at,
    device: row.device,
  };
}

/** What `KEY` selects. */
export interface KeyRow {
  key_id: string;
  key_user_id: string;
  name: string;
  hash: string;
  key_created_at: number;
  key_used_at: number | null;
}

/** The columns of an upload key `k`. */
export const KEY = `k.id AS key_id, k.user_id AS key_user_id, k.name, k.hash, k.created_at AS key_created_at,
  k.last_used_at AS key_used_at`;

export function keyOf(row: KeyRow): UploadKey {
  return {
    id: row.key_id,
    userId: row.key_user_id,
    name: row.name,
    hash: row.hash,
    createdAt: row.key_created_at,
    lastUsedAt: row.key_used_at,
  };
}
