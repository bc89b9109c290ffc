// Runs in a process of its own, which a hostile picture may bring down. Plain JavaScript, because Node 20 starts no
// TypeScript and tests run from the sources.
import sharp from 'sharp';

/**
 * What libvips says is an answer, not an exception: only faults of the worker itself are thrown.
 *
 * @template T
 * @typedef {{ ok: true, value: T } | { ok: false, reason: string }} Outcome
 */

/** @typedef {{ path: string }} MeasureTask */
/** @typedef {{ width: number, height: number, frames: number }} Measured */
/**
 * @typedef {{
 *   path: string,
 *   to: string,
 *   width: number,
 *   format: 'webp' | 'jpeg' | 'png',
 *   maxPixels: number,
 *   timeoutSeconds: number
 * }} ShrinkTask
 */

// What libvips would keep between pictures is never asked for again.
sharp.cache(false);
// Two pictures at once use the cores of a small machine; more threads for each would only fight.
sharp.concurrency(1);

/**
 * What the header says. No pixel is decoded, and no limit applies.
 *
 * @param {MeasureTask} task
 * @returns {Promise<Outcome<Measured>>}
 */
export function measure({ path }) {
  return outcome(async () => {
    const { autoOrient, pages = 1 } = await sharp(path, { failOn: 'error', limitInputPixels: false }).metadata();
    return { width: autoOrient.width, height: autoOrient.height, frames: pages };
  });
}

/**
 * Decodes every frame and writes a smaller version.
 *
 * @param {ShrinkTask} task
 * @returns {Promise<Outcome<null>>}
 */
export function shrink({ path, to, width, format, maxPixels, timeoutSeconds }) {
  return outcome(async () => {
    // All pages, so that a fault in the last frame is found too.
    const picture = sharp(path, { failOn: 'error', pages: -1, limitInputPixels: maxPixels, sequentialRead: true })
      .timeout({ seconds: timeoutSeconds })
      .autoOrient()
      .resize({ width, withoutEnlargement: true })
      .toColourspace('srgb');
    if (format === 'webp') await picture.webp({ quality: 80, effort: 2 }).toFile(to);
    else if (format === 'png') await picture.png().toFile(to);
    else await picture.flatten({ background: 'white' }).jpeg({ quality: 82, progressive: true }).toFile(to);
    return null;
  });
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<Outcome<T>>}
 */
async function outcome(work) {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
