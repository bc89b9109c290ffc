import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makePicture, makePngOfSize } from './pictures.ts';
import { filesOf, imageOf, openApp, refusal, type TestApp } from './test-app.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A form as curl -F sends it. */
function form(parts: { name: string; filename?: string; content: Uint8Array }[], end = '--\r\n') {
  const boundary = 'boundary-of-the-test';
  const chunks = parts.flatMap(({ name, filename, content }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`,
    ),
    content,
    Buffer.from('\r\n'),
  ]);
  return {
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}${end}`)]),
    headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` },
  };
}

async function loggedIn(options: Parameters<typeof openApp>[0] = {}): Promise<{ app: TestApp; token: string }> {
  const app = await openApp({ uploadLimit: { uploads: 1000, windowMs: 60_000 }, ...options });
  const { access_token } = await app.register('ada');
  return { app, token: access_token };
}

describe('an upload', () => {
  test.each(['png', 'jpeg', 'gif', 'webp', 'avif'] as const)('of %s is served as it was sent', async (format) => {
    const { app, token } = await loggedIn();
    const picture = await makePicture({ format });
    const answer = await app.upload(token, picture, {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename="wrong.exe"; filename*=UTF-8''caf%C3%A9.png`,
    });
    expect(answer.status).toBe(201);
    const image = await imageOf(answer);
    expect(answer.headers.get('location')).toBe(image.url);
    expect(image).toMatchObject({
      name: 'café.png',
      type: `image/${format}`,
      bytes: picture.length,
      width: 8,
      height: 6,
      sha256: sha256(picture),
      created_at: '2026-01-01T12:00:00.000Z',
    });
    expect(image.url).toMatch(/^http:\/\/imgup\.test\/i\/[0-9a-f]{16}\/[0-9a-z]{26}\.(png|jpg|gif|webp|avif)$/);

    const served = await app.request(new URL(image.url).pathname);
    expect(Buffer.from(await served.arrayBuffer()).equals(picture)).toBe(true);
    expect(Object.fromEntries(served.headers)).toMatchObject({
      'content-type': `image/${format}`,
      'content-length': `${picture.length}`,
      etag: `"${sha256(picture)}"`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
    });
    const again = await app.request(new URL(image.url).pathname, {
      headers: { 'If-None-Match': `W/"x", "${sha256(picture)}"` },
    });
    expect(again.status).toBe(304);
    const head = await app.request(new URL(image.url).pathname, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      `${picture.length}`,
      '',
    ]);
  });

  test('as a form is the same as a raw one', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePicture({ width: 300, height: 200 });
    const { body, headers } = form([
      { name: 'note', content: Buffer.from('hello') },
      { name: 'file', filename: '../../etc/pass\\wd.png', content: picture },
      { name: 'after', content: Buffer.from('more') },
    ]);
    const image = await imageOf(await app.upload(token, body, headers));
    expect(image).toMatchObject({ name: 'wd.png', bytes: picture.length, sha256: sha256(picture) });
    const served = await app.request(new URL(image.url).pathname);
    expect(Buffer.from(await served.arrayBuffer()).equals(picture)).toBe(true);
  });

  test('of the same bytes answers 200 with the same link, and keeps one copy', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePicture();
    const first = await imageOf(await app.upload(token, picture));
    const files = await filesOf(app.data);
    const answer = await app.upload(token, picture);
    expect(answer.status).toBe(200);
    expect(await imageOf(answer)).toEqual(first);
    expect(await filesOf(app.data)).toEqual(files);
  });

  test('of the same bytes twenty times at once has one link and one copy', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePicture();
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.upload(token, picture)));
    const urls = await Promise.all(answers.map(async (answer) => (await imageOf(answer)).url));
    expect(new Set(urls).size).toBe(1);
    expect(await filesOf(app.data)).toHaveLength(3);
  });

  test('of the same bytes by two users has two links', async () => {
    const { app, token } = await loggedIn();
    const bob = await app.register('bob');
    const picture = await makePicture();
    const mine = await imageOf(await app.upload(token, picture));
    const theirs = await imageOf(await app.upload(bob.access_token, picture));
    expect(mine.url).not.toBe(theirs.url);
  });

  test('has an id that sorts before those of older pictures', async () => {
    const { app, token } = await loggedIn();
    const ids: string[] = [];
    for (let seed = 0; seed < 5; seed += 1) {
      ids.push((await imageOf(await app.upload(token, await makePicture({ seed })))).id);
      app.clock.now += 1;
    }
    expect(ids.toSorted()).toEqual(ids.toReversed());
  });

  test('links to the public URL where one is set', async () => {
    const { app, token } = await loggedIn({ publicUrl: 'https://img.example.org' });
    const image = await imageOf(await app.upload(token, await makePicture()));
    expect(image.url).toMatch(/^https:\/\/img\.example\.org\/i\//);
  });

  test('whose name is nothing but control characters has no name', async () => {
    const { app, token } = await loggedIn();
    const headers = { 'Content-Disposition': `attachment; filename*=UTF-8''%1B%07%E2%80%AE` };
    expect((await imageOf(await app.upload(token, await makePicture(), headers))).name).toBeNull();
  });

  test('with a name of 400 bytes keeps 255 of them, in whole characters', async () => {
    const { app, token } = await loggedIn();
    const headers = {
      'Content-Disposition': `attachment; filename*=UTF-8''${'%E2%82%AC'.repeat(133)}`,
    };
    expect((await imageOf(await app.upload(token, await makePicture(), headers))).name).toBe('€'.repeat(85));
  });
});

describe('a refused upload leaves nothing behind', () => {
  const html = Buffer.from('<!doctype html><script>alert(1)</script>');
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');

  test.each([
    ['nothing at all', Buffer.alloc(0), '400 image_empty'],
    ['a web page', html, '415 image_type_unsupported'],
    ['an SVG', svg, '415 image_type_unsupported'],
    ['a PDF', Buffer.from('%PDF-1.7\n1 0 obj'), '415 image_type_unsupported'],
    ['one byte', Buffer.from([0x89]), '415 image_type_unsupported'],
    ['a PNG signature and nothing more', Buffer.from('89504e470d0a1a0a', 'hex'), '415 image_type_unsupported'],
    [
      'a JPEG header and rubbish',
      Buffer.from('ffd8ffe000104a46494600010100000100010000ffffffff', 'hex'),
      '422 image_invalid',
    ],
  ])('%s', async (_, body, expected) => {
    const { app, token } = await loggedIn();
    expect(await refusal(await app.upload(token, body, { 'Content-Type': 'image/png' }))).toBe(expected);
    const asForm = form([{ name: 'file', filename: 'a.png', content: body }]);
    expect(await refusal(await app.upload(token, asForm.body, asForm.headers))).toBe(expected);
    expect(await filesOf(app.data)).toEqual([]);
  });

  test('a picture one byte over the limit, while one at the limit is taken', async () => {
    const { app, token } = await loggedIn({ maxBytes: 200_000 });
    const [fits, tooLarge] = [await makePngOfSize(200_000), await makePngOfSize(200_001)];
    const streamed = (picture: Buffer) =>
      new ReadableStream({
        start(controller) {
          for (let at = 0; at < picture.length; at += 50_000) controller.enqueue(picture.subarray(at, at + 50_000));
          controller.close();
        },
      });
    const asForm = (picture: Buffer) => form([{ name: 'file', filename: 'a.png', content: picture }]);
    const large = { 'Content-Length': '200001' };
    expect(await refusal(await app.upload(token, tooLarge, large))).toBe('413 image_too_large');
    expect(await refusal(await app.upload(token, streamed(tooLarge)))).toBe('413 image_too_large');
    expect(await refusal(await app.upload(token, asForm(tooLarge).body, asForm(tooLarge).headers))).toBe(
      '413 image_too_large',
    );
    expect(await filesOf(app.data)).toEqual([]);
    expect((await app.upload(token, streamed(fits))).status).toBe(201);
    expect((await app.upload(token, asForm(fits).body, asForm(fits).headers)).status).toBe(200);
  });

  test('a body whose digest is another than it says', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePicture();
    const digest = (bytes: Uint8Array) => ({
      'Repr-Digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
    });
    expect(await refusal(await app.upload(token, picture, digest(html)))).toBe('400 digest_mismatch');
    expect(await refusal(await app.upload(token, picture, { 'Repr-Digest': 'sha-256=:abc:' }))).toBe(
      '400 invalid_request',
    );
    expect(await filesOf(app.data)).toEqual([]);
    expect((await app.upload(token, picture, digest(picture))).status).toBe(201);
  });

  test('a compressed body', async () => {
    const { app, token } = await loggedIn();
    const answer = await app.upload(token, await makePicture(), { 'Content-Encoding': 'gzip' });
    expect(await refusal(answer)).toBe('415 content_type_unsupported');
  });

  test('a form that is cut, in every place of it', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePicture();
    const whole = form([
      { name: 'file', filename: 'a.png', content: picture },
      { name: 'after', content: Buffer.from('more') },
    ]);
    for (let length = 0; length < whole.body.length - 4; length += 7) {
      const answer = await app.upload(token, whole.body.subarray(0, length), whole.headers);
      expect(await refusal(answer)).toMatch(/^4\d\d (multipart_invalid|image_empty|image_type_unsupported)$/);
    }
    expect(await filesOf(app.data)).toEqual([]);
  });

  test.each([
    ['no boundary', { headers: { 'Content-Type': 'multipart/form-data' }, body: Buffer.from('x') }],
    ['no part', form([])],
    ['no part named file', form([{ name: 'other', content: Buffer.from('x') }])],
    ['a file in another part', form([{ name: 'picture', filename: 'a.png', content: Buffer.alloc(100_000) }])],
    ['thirty parts', form(Array.from({ length: 30 }, () => ({ name: 'x', content: Buffer.from('x') })))],
    ['no end', form([{ name: 'file', filename: 'a.png', content: Buffer.from('x') }], '\r\n')],
  ])('a form with %s', async (_, { headers, body }) => {
    const { app, token } = await loggedIn();
    expect(await refusal(await app.upload(token, body, headers))).toMatch(
      /^400 multipart_invalid$|^415 image_type_unsupported$/,
    );
    expect(await filesOf(app.data)).toEqual([]);
  });

  test('a form with two files', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePicture();
    const { headers, body } = form([
      { name: 'file', filename: 'a.png', content: picture },
      { name: 'file', filename: 'b.png', content: picture },
    ]);
    expect(await refusal(await app.upload(token, body, headers))).toBe('400 multipart_invalid');
    expect(await filesOf(app.data)).toEqual([]);
  });

  test('a body that ends with an error half-way', async () => {
    const { app, token } = await loggedIn();
    const picture = await makePngOfSize(300_000);
    let pulls = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulls += 1;
        if (pulls === 1) controller.enqueue(picture.subarray(0, 290_000));
        else controller.error(new Error('the client went away'));
      },
    });
    const answer = await app.upload(token, body);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(await filesOf(app.data)).toEqual([]);
  });
});

describe('a link', () => {
  test.each([
    '/i/nobody/nothing.png',
    '/i/../../db.json',
    '/i/%2e%2e/db.json',
    '/i/..%2f..%2fsecret/x.png',
    '/i/x/%2e%2e%2fsecret.png',
    '/i/x/y',
    '/i/x/y.json',
  ])('%s leads nowhere', async (path) => {
    const { app } = await loggedIn();
    expect(await refusal(await app.request(path))).toBe('404 not_found');
  });

  test('with another extension, or below by-digest, leads nowhere', async () => {
    const { app, token } = await loggedIn();
    const image = await imageOf(await app.upload(token, await makePicture()));
    const path = new URL(image.url).pathname;
    for (const other of [path.replace('.png', '.jpg'), path.replace('.png', '.json'), join(path, '..', 'by-digest')]) {
      expect(await refusal(await app.request(other))).toBe('404 not_found');
    }
  });
});
