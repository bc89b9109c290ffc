import sharp, { type Metadata } from 'sharp';

/** What a picture's header says: size, frames, orientation. No pixel is decoded, and no limit applies. */
export function readHeader(path: string): Promise<Metadata> {
  return sharp(path, { failOn: 'error', limitInputPixels: false }).metadata();
}
