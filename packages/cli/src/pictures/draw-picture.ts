import { Chalk } from 'chalk';
import sharp from 'sharp';
import { image2sixel } from 'sixel';
import type { Graphics } from './graphics.ts';

/** What there is to draw on, in character cells. */
export interface Canvas {
  columns: number;
  rows: number;
  /** Bits a colour, as `tty.WriteStream.getColorDepth()` says them. */
  colorDepth: number;
}

/** A cell in pixels, about: terminals seldom say. */
const CELL = { width: 10, height: 20 };

/** What makes a terminal show a picture, of which moving ones have their first frame. Errors: sharp's. */
export async function drawPicture(bytes: Uint8Array, graphics: Graphics, canvas: Canvas): Promise<string> {
  if (graphics === 'blocks') return drawBlocks(bytes, canvas);
  const box = { width: canvas.columns * CELL.width, height: canvas.rows * CELL.height };
  const fitted = sharp(bytes)
    .autoOrient()
    .resize({ ...box, fit: 'inside', withoutEnlargement: true });
  if (graphics === 'sixel') {
    const { data, info } = await fitted.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    return `${image2sixel(new Uint8Array(data), info.width, info.height)}\n`;
  }
  const png = await fitted.png().toBuffer();
  return graphics === 'kitty' ? kitty(png) : iterm2(png);
}

/** The protocol's limit of one escape sequence (sw.kovidgoyal.net/kitty/graphics-protocol), in characters of base64. */
const KITTY_CHUNK = 4096;

function kitty(png: Buffer): string {
  const base64 = png.toString('base64');
  let sequences = '';
  for (let at = 0; at < base64.length; at += KITTY_CHUNK) {
    const more = at + KITTY_CHUNK < base64.length ? 1 : 0;
    const control = at === 0 ? `a=T,f=100,q=2,m=${more}` : `m=${more}`;
    sequences += `\u001b_G${control};${base64.slice(at, at + KITTY_CHUNK)}\u001b\\`;
  }
  return `${sequences}\n`;
}

/** iterm2.com/documentation-images.html */
function iterm2(png: Buffer): string {
  return `\u001b]1337;File=inline=1;size=${png.length};preserveAspectRatio=1:${png.toString('base64')}\u0007\n`;
}

/** Two pixels a cell, one above the other: as its foreground and its background. */
async function drawBlocks(bytes: Uint8Array, { columns, rows, colorDepth }: Canvas): Promise<string> {
  const { data, info } = await sharp(bytes)
    .autoOrient()
    .resize({ width: columns, height: rows * 2, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const chalk = new Chalk({ level: colorDepth >= 24 ? 3 : colorDepth >= 8 ? 2 : 1 });
  const pixel = (x: number, y: number): Rgb | null => {
    if (y >= info.height) return null;
    const [r = 0, g = 0, b = 0, alpha = 0] = data.subarray((y * info.width + x) * 4);
    return alpha < 128 ? null : [r, g, b];
  };
  let text = '';
  for (let y = 0; y < info.height; y += 2) {
    for (let x = 0; x < info.width; x += 1) text += cell(chalk, pixel(x, y), pixel(x, y + 1));
    text += '\n';
  }
  return text;
}

type Rgb = [number, number, number];

function cell(chalk: InstanceType<typeof Chalk>, upper: Rgb | null, lower: Rgb | null): string {
  if (upper !== null) return (lower === null ? chalk : chalk.bgRgb(...lower)).rgb(...upper)('▀');
  return lower === null ? ' ' : chalk.rgb(...lower)('▄');
}
