import type { ImageStore, ImageRecord } from '../ports/image-store.ts';
import type { PictureCache } from '../ports/picture-cache.ts';
import { SMALL_WIDTHS, type PictureDecoder, type SmallFormat, type SmallWidth } from '../ports/picture-decoder.ts';

interface SmallVersionsOptions {
  store: ImageStore;
  cache: PictureCache;
  decoder: PictureDecoder;
}

export interface SmallVersion {
  path: string;
  type: string;
  /** Distinguishes its bytes from those of other versions of the picture. */
  tag: string;
}

const FORMATS = ['webp', 'jpeg', 'png'] as const satisfies SmallFormat[];

/** The width of the version that checking an upload makes. */
const FIRST_WIDTH = 320;

export type SmallVersions = ReturnType<typeof createSmallVersions>;

/** Smaller versions of pictures, made when first asked for. */
export function createSmallVersions({ store, cache, decoder }: SmallVersionsOptions) {
  return {
    /** Where the check of an upload writes the first small version; `keep` it or remove it. */
    draft: () => cache.draft(),

    async keep(record: ImageRecord, draft: string): Promise<void> {
      await cache.keep(keyOf(record, FIRST_WIDTH, 'webp'), draft);
    },

    /**
     * A version of the picture that is at most `width` wide.
     *
     * @param webp whether the client takes WebP
     * @throws AppError `server_busy`
     */
    async get(record: ImageRecord, width: SmallWidth, webp: boolean): Promise<SmallVersion> {
      const format = webp ? 'webp' : formatFor(record);
      const key = keyOf(record, width, format);
      const path = await cache.get(key, (draft) =>
        store.withFile(record, (original) => decoder.shrink(original, draft, width, format)),
      );
      return { path, type: `image/${format}`, tag: `${width}-${format}` };
    },

    /** Removes all versions of a picture that is gone. */
    remove(record: ImageRecord): void {
      cache.remove(SMALL_WIDTHS.flatMap((width) => FORMATS.map((format) => keyOf(record, width, format))));
    },
  };
}

function keyOf(record: ImageRecord, width: SmallWidth, format: SmallFormat): string {
  return `${record.id}.${width}.${format}`;
}

/** A photo is smallest as a JPEG; what may have transparent pixels must stay a PNG. */
function formatFor(record: ImageRecord): SmallFormat {
  return record.type === 'image/jpeg' ? 'jpeg' : 'png';
}
