import { join } from 'node:path';
import { openCacheFolder } from './adapters/filesystem/cache-folder.ts';
import { openFilesystemImageStore } from './adapters/filesystem/image-store.ts';
import { createStorageProbe } from './adapters/filesystem/storage-probe.ts';
import { sweepImages, type SweptImages } from './adapters/filesystem/sweep-images.ts';
import type { ServerConfig } from './config.ts';
import type { Logger } from './logger.ts';
import type { DirectLinks } from './ports/direct-links.ts';
import type { ImageStore } from './ports/image-store.ts';
import type { PictureCache } from './ports/picture-cache.ts';
import type { StorageProbe } from './ports/storage-probe.ts';

interface OpenImagesOptions {
  config: Pick<ServerConfig, 'data' | 'cacheSize' | 'images' | 'serveImages'>;
  now: () => number;
  logger: Logger;
}

interface OpenedImages {
  store: ImageStore;
  cache: PictureCache;
  probe: StorageProbe;
  /** Null: the server hands pictures out itself. */
  links: DirectLinks | null;
  /** What an interrupted server had left. */
  left: SweptImages;
  /** Removes, once a day, what interrupted servers have left in a store that others go on writing to. */
  sweepLeftovers(): Promise<void>;
  /** Ends a sweep that is under way. */
  stop(): void;
  /** Call once nothing is under way any more. */
  close(): void;
}

/**
 * Opens what keeps the pictures: the data folder, or an S3 store, whose code is loaded then alone.
 *
 * Call once the folder `incoming` is there and has been swept.
 *
 * @throws StartError `images_unusable`
 */
export async function openImages({ config, now, logger }: OpenImagesOptions): Promise<OpenedImages> {
  const { data, images, cacheSize } = config;
  const incoming = join(data, 'incoming');
  const disk = createStorageProbe({ folder: incoming, now });
  if (images === null) {
    const store = await openFilesystemImageStore(data);
    const left = await sweepImages(join(data, 'images'));
    const cache = await openCacheFolder(join(data, 'cache'), cacheSize);
    return { store, cache, probe: disk, links: null, left, sweepLeftovers: nothing, stop: ignore, close: ignore };
  }
  const { openS3Images } = await import('./adapters/s3/open-s3-images.ts');
  const opened = await openS3Images({ location: images, scratch: incoming, disk, now });
  let stopping = false;
  return {
    ...opened,
    links: config.serveImages === 'redirect' ? opened.links : null,
    left: { swept: 0, kept: 0 },
    async sweepLeftovers() {
      if (!(await opened.leftovers.isDue(now()))) return;
      const removed = await opened.leftovers.sweep(now(), () => stopping);
      if (removed > 0) logger.warn({ objects: removed }, 'what interrupted servers had left on the S3 store was swept');
    },
    stop() {
      stopping = true;
    },
  };
}

async function nothing(): Promise<void> {
  // One server a folder: what an interrupted one has left is swept at the start.
}

function ignore(): void {
  // There is nothing to end.
}
