import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ImageResponse, LoginResponse } from '@imgup/shared';
import { readConfig, startServer } from '@imgup/server';
import { chromium, type Browser, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { asApng, cameraExif, gifExtension, insert, jpegSegment, pngChunk } from './metadata.ts';
import { PASSWORD, temporaryFolder } from './test-app.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0,
);
if (CHROMIUM === undefined) console.warn('skipped: pictures in a real browser; install chromium');

const RAN = 'a script in a picture has run';
const SCRIPT = `<script>console.log(${JSON.stringify(RAN)})</script>`;
const WIDTH = 40;
const HEIGHT = 30;

/** Red on the left, blue on the right. */
function halves() {
  const pixels = Buffer.alloc(WIDTH * HEIGHT * 3);
  for (let at = 0; at < pixels.length; at += 3) pixels[at + ((at / 3) % WIDTH < WIDTH / 2 ? 0 : 2)] = 255;
  return sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
}

async function twice(format: 'gif' | 'webp'): Promise<Buffer> {
  const frame = await halves().png().toBuffer();
  return sharp([frame, frame], { join: { animated: true } })
    .toFormat(format, { delay: [100, 100] })
    .toBuffer();
}

describe.skipIf(CHROMIUM === undefined)('in a browser', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
    browser = await chromium.launch({ executablePath: CHROMIUM ?? '', args });
  }, 60_000);
  afterAll(() => browser?.close());

  async function open() {
    const flags = { data: await temporaryFolder(), port: '0', 'min-free': '0', 'upload-limit': '100/min' };
    const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
    onTestFinished(() => server.close());
    const registered = await fetch(`${server.url}/api/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: 'ada', password: PASSWORD }),
    });
    const { access_token } = (await registered.json()) as LoginResponse;

    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const said: string[] = [];
    context.on('console', (message) => said.push(message.text()));
    const page = await context.newPage();
    return {
      page,
      said,
      cookies: () => context.cookies(),
      async upload(body: Buffer, headers: Record<string, string> = {}): Promise<string> {
        const Authorization = `Bearer ${access_token}`;
        const init = { method: 'POST', body: new Uint8Array(body), headers: { Authorization, ...headers } };
        const answer = await fetch(`${server.url}/api/images`, init);
        expect(answer.status).toBe(201);
        return ((await answer.json()) as ImageResponse).url;
      },
    };
  }

  /** A page of another origin. */
  async function elsewhere(html: string): Promise<string> {
    const server = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(html));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://localhost:${(server.address() as AddressInfo).port}/`;
  }

  /** The size of the picture on a page, and the colours left above and right below in it. */
  async function seen(page: Page) {
    const picture = page.locator('img');
    const size = await picture.evaluate(async (element) => {
      const image = element as unknown as { decode(): Promise<void>; naturalWidth: number; naturalHeight: number };
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    });
    const { data, info } = await sharp(await picture.screenshot())
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const colour = (x: number, y: number) => {
      const at = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * 3;
      const [red = 0, green = 0, blue = 0] = data.subarray(at, at + 3);
      if (red > 200 && green < 60 && blue < 60) return 'red';
      return blue > 200 && green < 60 && red < 60 ? 'blue' : `${red} ${green} ${blue}`;
    };
    return { size, corners: [colour(0.2, 0.2), colour(0.8, 0.8)] };
  }

  test.each<[string, () => Promise<Buffer>]>([
    ['PNG', () => halves().png().toBuffer()],
    ['moving PNG', async () => asApng(await halves().png().toBuffer())],
    ['JPEG', () => halves().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()],
    ['GIF', () => halves().gif().toBuffer()],
    ['moving GIF', () => twice('gif')],
    ['WebP', () => halves().webp({ lossless: true }).toBuffer()],
    ['moving WebP', () => twice('webp')],
    ['AVIF', () => halves().avif({ lossless: true }).toBuffer()],
  ])('a %s is shown from its link, and on a page of another origin', async (_name, make) => {
    const { page, upload, cookies } = await open();
    const url = await upload(await make());
    const expected = { size: [WIDTH, HEIGHT], corners: ['red', 'blue'] };
    await page.goto(url);
    expect(await seen(page)).toEqual(expected);
    await page.goto(await elsewhere(`<!doctype html><img src="${url}">`));
    expect(await seen(page)).toEqual(expected);
    await page.goto(await elsewhere(`<!doctype html><img src="${url}?w=160">`));
    expect(await seen(page)).toEqual(expected);
    expect(await cookies()).toEqual([]);
  });

  test('a photo that was taken upright is upright, without its metadata', async () => {
    const { page, upload } = await open();
    const jpeg = await halves().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer();
    const exif = jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), cameraExif({ orientation: 6 })]));
    const url = await upload(insert(jpeg, 2, exif));
    for (const link of [url, `${url}?w=160`]) {
      await page.goto(await elsewhere(`<!doctype html><img src="${link}">`));
      expect(await seen(page)).toEqual({ size: [HEIGHT, WIDTH], corners: ['red', 'blue'] });
    }
  });

  test.each([
    ['removed', {}],
    ['kept', { 'X-Imgup-Metadata': 'keep' }],
  ])('a script hidden in a picture does not run, whether its metadata is %s', async (_what, wish) => {
    const { page, said, upload } = await open();
    const png = await halves().png().toBuffer();
    const withText = insert(png, png.length - 12, pngChunk('tEXt', `Comment\0${SCRIPT}`));
    const jpeg = await halves().jpeg().toBuffer();
    // A GIF that is JavaScript too: "GIF89a/*", the picture, "*/=1;", the script, and "//" before its last byte.
    const wide = await sharp({ create: { width: 0x2a2f, height: 1, channels: 3, background: 'red' } })
      .gif()
      .toBuffer();
    const code = gifExtension(0xfe, `*/=1;console.log(${JSON.stringify(RAN)});//`);
    const pretended = { 'Content-Type': 'text/html', 'Content-Disposition': 'inline; filename="page.html"', ...wish };
    const links = await Promise.all([
      upload(withText, pretended),
      upload(Buffer.concat([png, Buffer.from(`<!doctype html>${SCRIPT}`)]), wish),
      upload(Buffer.concat([jpeg.subarray(0, 2), jpegSegment(0xfe, SCRIPT), jpeg.subarray(2)]), wish),
      upload(insert(wide, wide.length - 1, code), wish),
    ]);
    for (const url of links) {
      await page.goto(url);
      await page.goto(
        await elsewhere(
          `<!doctype html><script src="${url}"></script><iframe src="${url}"></iframe><object data="${url}"></object><embed src="${url}">`,
        ),
        { waitUntil: 'networkidle' },
      );
    }
    expect(said.filter((text) => text.includes(RAN) && !text.includes('Refused'))).toEqual([]);
  });

  test('what is to be found would be: the same script in a page runs', async () => {
    const { page, said } = await open();
    await page.goto(await elsewhere(`<!doctype html>${SCRIPT}`));
    expect(said).toEqual([RAN]);
  });
});
