// Runs in a process of its own, which a hostile picture may bring down. Plain JavaScript, because Node 20 starts no
// TypeScript and tests run from the sources.
import sharp from 'sharp';
import { giveWay } from '../../give-way.js';
import { checkApngFrames, listApngFrames } from './apng-frames.js';
import { countScans } from './count-scans.js';
import { openFile } from './open-file.js';

/**
 * What libvips says is an answer, not an exception: only faults of the worker itself are thrown.
 *
 * @template T
 * @typedef {{ ok: true, value: T } | { ok: false, reason: string }} Outcome
 */

/**
 * @typedef {{
 *   width: number,
 *   height: number,
 *   frames: number,
 *   pixels: number,
 *   scans: number,
 *   cost: number
 * }} Measured
 *   `pixels` are those of all frames; `scans` those of a JPEG; `cost` the pixels of another picture that takes as much memory
 */
/** @typedef {{ [what in 'side' | 'frames' | 'pixels' | 'scans' | 'cost']: number }} Limits the most of each */
/**
 * @typedef {{
 *   path: string,
 *   to: string,
 *   width: number,
 *   format: 'webp' | 'jpeg' | 'png',
 *   limits: Limits
 * }} ShrinkTask
 */

/** An AVIF takes as much memory as another picture with so many times its pixels. */
const AVIF_WEIGHT = 3;

/** The longest side of a WebP. */
const WEBP_SIDE = 16_383;

giveWay();
// What libvips would keep between pictures is never asked for again.
sharp.cache(false);
// Two pictures at once use the cores of a small machine; more threads for each would only fight.
sharp.concurrency(1);

/** Called to have a worker started, and all of this loaded. */
export function ready() {
  return null;
}

/**
 * Decodes every frame and writes a smaller version; of a picture beyond the limits it only says what its headers say.
 *
 * @param {ShrinkTask} task
 * @returns {Promise<Outcome<Measured & { isChecked: boolean }>>}
 */
export function check(task) {
  return withFile(task.path, async (file) => {
    const metadata = await readMetadata(task.path);
    const moving = metadata.format === 'png' ? listApngFrames(file) : [];
    const measured = measure(file, metadata, moving);
    const isChecked = isWithin(task.limits, measured);
    if (isChecked) {
      if (metadata.format === 'png') await checkApngFrames(file, moving);
      await writeSmaller(task, shownPages(metadata));
    }
    return { ...measured, isChecked };
  });
}

/**
 * No pixel is decoded.
 *
 * @param {import('./open-file.js').OpenFile} file
 * @param {import('sharp').Metadata} metadata
 * @param {import('./apng-frames.js').Frame[]} moving
 * @returns {Measured}
 */
function measure(file, metadata, moving) {
  const { format, autoOrient } = metadata;
  const { width, height } = autoOrient;
  const pages = shownPages(metadata);
  const pixels = moving.reduce((sum, frame) => sum + frame.width * frame.height, 0) || width * height * pages;
  return {
    width,
    height,
    frames: Math.max(pages, moving.length),
    pixels,
    scans: scansOf(file, metadata),
    cost: format === 'heif' ? AVIF_WEIGHT * pixels : pixels,
  };
}

/**
 * How many scans are decoded. Of a JPEG whose first one has all colours and is not the first of many (libvips calls the others
 * interlaced, those in steps and those with a colour at a time), that is the only one.
 *
 * @param {import('./open-file.js').OpenFile} file
 * @param {import('sharp').Metadata} metadata
 */
function scansOf(file, { format, isProgressive }) {
  return format === 'jpeg' && isProgressive ? countScans(file) : 1;
}

/**
 * @param {Limits} limits
 * @param {Measured} measured
 */
function isWithin(limits, { width, height, frames, pixels, scans, cost }) {
  return (
    Math.max(width, height) <= limits.side &&
    frames <= limits.frames &&
    pixels <= limits.pixels &&
    scans <= limits.scans &&
    cost <= limits.cost
  );
}

/**
 * Writes a smaller version of a picture that has been checked, maybe by its header alone.
 *
 * @param {ShrinkTask} task
 * @returns {Promise<Outcome<null>>}
 */
export function shrink(task) {
  return withFile(task.path, async (file) => {
    const metadata = await readMetadata(task.path);
    const scans = scansOf(file, metadata);
    if (scans > task.limits.scans) throw new Error(`it is coded in ${scans} scans`);
    await writeSmaller(task, shownPages(metadata));
    return null;
  });
}

/**
 * @param {ShrinkTask} task
 * @param {number} pages
 */
async function writeSmaller({ path, to, width, format, limits }, pages) {
  const picture = sharp(path, {
    failOn: 'error',
    // All pages, so that a fault in the last frame is found too. Where the frames cannot move, the first stands for them.
    pages: format === 'webp' && pages > 1 ? -1 : 1,
    limitInputPixels: limits.pixels,
    sequentialRead: true,
  });
  // libvips turns no picture that moves.
  if (pages === 1) picture.autoOrient();
  const height = format === 'webp' ? WEBP_SIDE : undefined;
  picture.resize({ width, height, fit: 'inside', withoutEnlargement: true }).toColourspace('srgb');
  if (format === 'webp') await picture.webp({ quality: 80, effort: 2 }).toFile(to);
  else if (format === 'png') await picture.png().toFile(to);
  else await picture.flatten({ background: 'white' }).jpeg({ quality: 82, progressive: true }).toFile(to);
}

/**
 * How many pictures a viewer shows: the frames of one that moves, and of an AVIF the primary one alone.
 *
 * @param {import('sharp').Metadata} metadata
 */
function shownPages({ format, pages = 1 }) {
  return format === 'heif' ? 1 : pages;
}

/** @param {string} path */
function readMetadata(path) {
  return sharp(path, { failOn: 'error', limitInputPixels: false }).metadata();
}

/**
 * @template T
 * @param {string} path
 * @param {(file: import('./open-file.js').OpenFile) => Promise<T>} work
 * @returns {Promise<Outcome<T>>}
 */
async function withFile(path, work) {
  let file;
  try {
    file = openFile(path);
    return { ok: true, value: await work(file) };
  } catch (error) {
    return { ok: false, reason: whyNotOpened(path) ?? (error instanceof Error ? error.message : String(error)) };
  } finally {
    file?.close();
  }
}

/**
 * Of a file that cannot be opened, for want of descriptors say, libvips tells that its format is unknown.
 *
 * @param {string} path
 */
function whyNotOpened(path) {
  try {
    openFile(path).close();
    return null;
  } catch (error) {
    return String(error);
  }
}
