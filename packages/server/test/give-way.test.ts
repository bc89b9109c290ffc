import { readdirSync, readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { createSharpDecoder } from '../src/adapters/sharp/picture-decoder.ts';
import { createPasswords } from '../src/services/passwords.ts';
import { makePicture } from './pictures.ts';
import { childrenOf } from './processes.ts';
import { temporaryFolder } from './test-app.ts';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The 19th field of its stat: 0 is what a program is given, and the more the later it comes. */
function niceOf(path: string): number {
  return Number(
    readFileSync(`${path}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[16],
  );
}

const threadsOf = (id: string | number) =>
  readdirSync(`/proc/${id}/task`).map((thread) => `/proc/${id}/task/${thread}`);

test.skipIf(process.platform !== 'linux')('passwords are hashed in a thread that lets requests go first', async () => {
  const main = `/proc/self/task/${process.pid}`;
  const own = niceOf(main);
  const before = threadsOf('self').filter((thread) => niceOf(thread) === 10).length;
  const passwords = createPasswords({ cost: 4 });
  onTestFinished(() => passwords.close());
  await passwords.hash('a long enough secret');
  const gaveWay = threadsOf('self').filter((thread) => niceOf(thread) === 10);
  expect(gaveWay.length).toBeGreaterThan(before);
  expect(niceOf(main)).toBe(own);
});

test.skipIf(process.platform !== 'linux')('pictures are decoded by processes that let requests go first', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'picture.png');
  await writeFile(file, await makePicture());
  const decoder = createSharpDecoder({ maxPixels: 1e6 });
  onTestFinished(() => decoder.close());
  await decoder.check(file, join(folder, 'small'));
  const workers = childrenOf(process.pid);
  expect(workers.length).toBeGreaterThan(0);
  for (const thread of workers.flatMap((id) => threadsOf(id))) expect(niceOf(thread)).toBe(10);
});
