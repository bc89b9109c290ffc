/** The system's name for a disk, or a person's share of it, that has no room left; null for any other error. */
export function diskFull(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EDQUOT' ? code : null;
}

export const MAKE_ROOM = 'make room there and try again';
