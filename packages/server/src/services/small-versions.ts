import { SMALL_WIDTHS, type SmallWidth } from '@imgup/shared';
import { AppError } from '../errors.ts';
import { isExpired, type ImageRecord, type ImageStore } from '../ports/image-store.ts';
import type { CachedFile, PictureCache } from '../ports/picture-cache.ts';
import type { PictureDecoder, SmallFormat } from '../ports/picture-decoder.ts';

interface SmallVersionsOptions {
  store: ImageStore;
  cache: PictureCache;
  decoder: PictureDecoder;
  now: () => number;
}

export interface SmallVersion {
  file: CachedFile;
  /** In the cache. */
  key: string;
  type: string;
  /** Distinguishes its bytes from those of other versions of the picture. */
  tag: string;
}

const FORMATS = ['webp', 'jpeg', 'png'] as const satisfies SmallFormat[];

/** The width of the version that checking an upload makes. */
const FIRST_WIDTH = 320;

export type SmallVersions = ReturnType<typeof createSmallVersions>;

/** Smaller versions of pictures, made when first asked for. None outlives its picture. */
export function createSmallVersions({ store, cache, decoder, now }: SmallVersionsOptions) {
  async function remove(record: ImageRecord): Promise<void> {
    await cache.remove(SMALL_WIDTHS.flatMap((width) => FORMATS.map((format) => keyOf(record, width, format))));
  }

  /** What was made while its picture was being taken back was not there yet when the others were removed. */
  async function removeIfGone(record: ImageRecord): Promise<boolean> {
    const stored = await store.head(record.owner, record.id);
    const isGone = stored === null || isExpired(stored, now());
    if (isGone) await remove(record);
    return isGone;
  }

  return {
    /** Where the check of an upload writes the first small version; `keep` it or remove it. */
    draft: () => cache.draft(),

    /** Never rejects: the picture is stored, and this can be made again. What is left of the draft is the caller's. */
    async keep(record: ImageRecord, draft: string): Promise<void> {
      try {
        await cache.keep(keyOf(record, FIRST_WIDTH, 'webp'), draft);
        await removeIfGone(record);
      } catch {
        // The folder may be emptied at any time, and a failing disk will be noticed where it matters.
      }
    },

    /**
     * A version of the picture that is at most `width` wide; null where it is larger than the whole cache may be.
     *
     * @param webp whether the client takes WebP
     * @throws AppError `server_busy`, `not_found` where the picture was taken back meanwhile
     */
    async get(record: ImageRecord, width: SmallWidth, webp: boolean): Promise<SmallVersion | null> {
      const format = webp ? 'webp' : formatFor(record);
      const key = keyOf(record, width, format);
      let file = await cache.open(key);
      if (file === null) {
        await cache.make(key, (draft) =>
          store.withFile(record, (original) => decoder.shrink(original, draft, width, format)),
        );
        if (await removeIfGone(record)) throw new AppError('not_found', 'The picture has been taken back.');
        file = await cache.open(key);
      }
      return file && { file, key, type: `image/${format}`, tag: `${width}-${format}` };
    },

    /** Removes all versions of a picture that is gone or is about to be. */
    remove,

    /** Removes all versions of all pictures of an owner who is gone. */
    async removeAll(owner: string): Promise<void> {
      await cache.removeAll(`${owner}.`);
    },
  };
}

/** The owner is part of it, so that theirs can be removed when nothing else tells any more which they are. */
function keyOf({ owner, id }: ImageRecord, width: SmallWidth, format: SmallFormat): string {
  return `${owner}.${id}.${width}.${format}`;
}

/** A photo is smallest as a JPEG; what may have transparent pixels must stay a PNG. */
function formatFor(record: ImageRecord): SmallFormat {
  return record.type === 'image/jpeg' ? 'jpeg' : 'png';
}
