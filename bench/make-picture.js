import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';

/** Bytes of a pixel of noise, as it is compressed here; found out once. */
const TRIAL_SIDE = 256;

/**
 * A JPEG that decodes, of about so many bytes: a photo's worst case, noise. There is nothing private in it.
 *
 * @param {number} bytes
 * @param {string} file where it is written
 */
export async function makePicture(bytes, file) {
  const bytesOfTrial = (await noise(TRIAL_SIDE)).length;
  const side = Math.round(Math.sqrt((bytes / bytesOfTrial) * TRIAL_SIDE ** 2));
  await writeFile(file, await noise(side));
}

/** @param {number} side pixels */
function noise(side) {
  const gaussian = /** @type {const} */ ({ type: 'gaussian', mean: 128, sigma: 40 });
  return sharp({ create: { width: side, height: side, channels: 3, background: 'black', noise: gaussian } })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer();
}
