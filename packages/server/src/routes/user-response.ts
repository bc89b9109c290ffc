import type { UserResponse } from '@imgup/shared';
import type { User } from '../ports/account-store.ts';

/** A user as the API shows it: never the hash. */
export function userResponse(user: User): UserResponse {
  return {
    id: user.id,
    username: user.username,
    role: user.role,
    created_at: new Date(user.createdAt).toISOString(),
  };
}
