import { createHash } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readPictureFile } from '../src/picture-file.ts';
import { openWorld, temporaryFolder } from './world.ts';

const never = new AbortController().signal;
const PNG = '\x89PNG\r\n\x1a\n';

async function file(name: string, start: string, size?: number): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, Buffer.from(start, 'latin1'));
  if (size !== undefined) await truncate(path, size);
  return path;
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

describe('Ctrl-C', () => {
  test('ends the hashing of a large file', async () => {
    const path = await file('large.png', PNG, 1024 ** 3);
    const controller = new AbortController();
    const reason = new Error('enough');
    const reading = readPictureFile(path, controller.signal);
    void delay(20).then(() => controller.abort(reason));
    await expect(reading).rejects.toBe(reason);
  });

  test('ends a file that is being sent, and is no change of it', async () => {
    const path = await file('photo.png', PNG, 1_000_000);
    const controller = new AbortController();
    const { body } = await readPictureFile(path, controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(readAll(body.stream())).rejects.toBe(reason);
  });
});

describe('what no server takes is refused before anything is sent', () => {
  test.each([
    ['a text', 'notes.txt', 'hello'],
    ['a HEIC', 'photo.heic', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
    ['a TIFF', 'scan.tif', 'II*\0\x08\0\0\0\0\0'],
    ['a HEIC with the brand of an AVIF behind its first box', 'photo.heic', '\0\0\0\x14ftypheic\0\0\0\0heicavif'],
  ])('%s', async (_what, name, start) => {
    const world = await openWorld();
    await world.register();
    const path = await file(name, start);
    expect(await world.imgup(['upload', path])).toEqual({
      code: 5,
      stdout: '',
      stderr: expect.stringMatching(
        /^imgup: \S+: This is no picture that the server takes; convert it to one of PNG.*\n$/,
      ),
    });
    expect(world.asked()).toEqual([]);
  });

  test('more than the largest limit that a server can have', async () => {
    const world = await openWorld();
    await world.register();
    const outcome = await world.imgup(['upload', await file('huge.png', PNG, 1024 ** 3 + 1)]);
    expect(outcome).toMatchObject({ code: 5, stderr: expect.stringContaining('too large; send a smaller one') });
    expect(world.asked()).toEqual([]);
  });
});

test.each([
  ['a PNG', PNG, 'image/png'],
  ['a JPEG', '\xff\xd8\xff\xe0', 'image/jpeg'],
  ['a GIF of 1987', 'GIF87a', 'image/gif'],
  ['a GIF of 1989', 'GIF89a', 'image/gif'],
  ['a WebP', 'RIFF\0\0\0\0WEBPVP8 ', 'image/webp'],
  ['an AVIF', '\0\0\0\x18ftypavif\0\0\0\0mif1miaf', 'image/avif'],
  ['an animated AVIF', '\0\0\0\x18ftypavis\0\0\0\0msf1miaf', 'image/avif'],
  ['an AVIF that says so among its compatible brands', '\0\0\0\x18ftypmif1\0\0\0\0miafavif', 'image/avif'],
])('%s is left to the server to judge', async (_what, start, type) => {
  expect(await readPictureFile(await file('x', start), never)).toMatchObject({ type });
});

test('a small file is sent as it was when its digest was made, whatever has become of it since', async () => {
  const path = await file('photo.png', PNG, 1_000_000);
  const { digest, body } = await readPictureFile(path, never);
  await rm(path);
  for (const _ of ['once', 'and once more with another token']) {
    const hash = createHash('sha256');
    for await (const chunk of body.stream()) hash.update(chunk);
    expect(hash.digest('base64')).toBe(digest);
  }
  expect(body.length).toBe(1_000_000);
});

describe('a file that changes after it was read', () => {
  const changes: [string, (path: string) => Promise<void>][] = [
    ['removed', (path) => rm(path)],
    ['shortened', (path) => truncate(path, 20)],
  ];
  test.each(changes)('by being %s is named, and the network is not blamed', async (_what, change) => {
    const world = await openWorld();
    await world.register();
    const path = await world.picture();
    // A smaller one would have been kept in memory.
    await truncate(path, 5 * 1024 ** 2);
    const { createNodeTransport } = await import('../src/api/node-transport.ts');
    const { createServer } = await import('node:http');
    const server = createServer((request) => void request.resume());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    world.network.way = async (request, next) => {
      if (request.method !== 'POST') return next(request);
      await change(path);
      return createNodeTransport()({ ...request, url: new URL(`http://127.0.0.1:${port}/`) });
    };
    try {
      expect(await world.imgup(['upload', path])).toEqual({
        code: 1,
        stdout: '',
        stderr: `imgup: ${path} was changed or removed while it was sent; upload it again.\n`,
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
