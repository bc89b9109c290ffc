import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppOptions } from '@imgup/server';
import { makePicture } from './pictures.ts';
import { imageOf, openApp, type TestApp } from './test-app.ts';

export const MANY_UPLOADS: Partial<AppOptions> = { uploadLimit: { uploads: 100_000, windowMs: 60_000 } };

/** A folder as a server has left it: two users, ada with three pictures and bob with one. */
export async function filledFolder() {
  const app = await openApp(MANY_UPLOADS);
  const ada = await app.register('ada');
  const bob = await app.register('bob');
  const pictures = [];
  for (const seed of [1, 2, 3]) {
    pictures.push(await imageOf(await app.upload(ada.access_token, await makePicture({ seed }))));
    app.clock.now += 1000;
  }
  const his = await imageOf(await app.upload(bob.access_token, await makePicture({ format: 'webp', seed: 1 })));
  await app.close();
  const [first, second, third] = pictures;
  if (first === undefined || second === undefined || third === undefined) throw new Error('uploads are missing');
  return { data: app.data, ada, bob, first, second, third, his, home: join(app.data, 'images', ada.user.id) };
}

/** What is at a link of the app: its status, and the bytes. */
export async function follow(app: TestApp, url: string): Promise<{ status: number; bytes: Buffer }> {
  const answer = await app.request(new URL(url).pathname);
  return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
}

/** Every path below a folder with its mode in octal, sorted. */
export async function listing(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).toSorted();
  return Promise.all(
    names.map(async (name) => `${name} ${((await stat(join(folder, name))).mode & 0o777).toString(8)}`),
  );
}
