import type { Objects } from './objects.ts';
import { keys } from './picture-keys.ts';

interface Pointer {
  /** Null: the picture that it led to is gone. */
  id: string | null;
  etag: string;
}

export type DigestPointers = ReturnType<typeof createDigestPointers>;

/**
 * Which picture has which digest. A pointer changes by conditional writes alone, so that servers that receive the same
 * bytes at once agree on one id. Nor is it removed at once, but emptied: not every engine removes conditionally.
 */
export function createDigestPointers(objects: Objects) {
  async function read(owner: string, digestKey: string): Promise<Pointer | null> {
    const found = await objects.read(keys.pointer(owner, digestKey));
    return found && { id: found.text === '' ? null : found.text, etag: found.etag };
  }

  return {
    read,

    /** @param before what was read. @returns false where that has changed */
    claim(owner: string, digestKey: string, id: string, before: Pointer | null): Promise<boolean> {
      const when = before === null ? 'absent' : { etag: before.etag };
      return objects.write(keys.pointer(owner, digestKey), id, { when });
    },

    /** Leaves it alone where it leads to another picture by now. */
    async free(owner: string, digestKey: string, id: string): Promise<void> {
      const pointer = await read(owner, digestKey);
      if (pointer?.id !== id) return;
      await objects.write(keys.pointer(owner, digestKey), '', { when: { etag: pointer.etag } });
    },
  };
}
