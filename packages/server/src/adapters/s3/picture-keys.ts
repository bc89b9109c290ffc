import type { ImageRecord } from '../../ports/image-store.ts';

/** Ids as the server makes them. Anything else never becomes part of a key. */
export const SAFE_ID = /^[0-9a-z]{1,40}$/;

/** Where pictures and what is known of them lie, as in the data folder. */
export const keys = {
  ofOwner: (owner: string) => `images/${owner}/`,
  record: (owner: string, id: string) => `images/${owner}/${id}.json`,
  picture: ({ owner, id, extension }: Pick<ImageRecord, 'owner' | 'id' | 'extension'>) =>
    `images/${owner}/${id}.${extension}`,
  pointer: (owner: string, digestKey: string) => `images/${owner}/by-digest/${digestKey}`,
};

/** What a key in the folder of an owner stands for; null for a digest pointer, and for what no server has put there. */
export function parsePictureKey(key: string): { owner: string; id: string; isRecord: boolean } | null {
  const [, owner, id, extension] = /^images\/([0-9a-z]{1,40})\/([0-9a-z]{1,40})\.([a-z0-9]+)$/.exec(key) ?? [];
  return owner === undefined || id === undefined ? null : { owner, id, isRecord: extension === 'json' };
}
