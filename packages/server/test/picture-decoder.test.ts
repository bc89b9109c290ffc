import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, onTestFinished, test } from 'vitest';
import { createHeaderDecoder } from '../src/adapters/header/header-decoder.ts';
import { createSharpDecoder } from '../src/adapters/sharp/picture-decoder.ts';
import { noMetrics } from '../src/ports/metrics.ts';
import { makePicture } from './pictures.ts';
import { childrenOf } from './processes.ts';
import { temporaryFolder } from './test-app.ts';

test.skipIf(process.platform !== 'linux')('a check finds the decoder that was woken for it', async () => {
  const folder = await temporaryFolder();
  const picture = join(folder, 'picture.png');
  await writeFile(picture, await makePicture());
  const decoder = createSharpDecoder({ maxPixels: 1e6 });
  onTestFinished(() => decoder.close());
  createHeaderDecoder({ decoder, maxPixels: 1e6 }).wake();
  expect(childrenOf(process.pid)).toEqual([]);
  decoder.wake();
  expect(childrenOf(process.pid)).toHaveLength(1);
  await decoder.check(picture, join(folder, 'small'));
  expect(childrenOf(process.pid)).toHaveLength(1);
});

test.each([
  ['jpeg', 4000, 4000],
  // It takes the memory of another with three times its pixels.
  ['avif', 2000, 2667],
] as const)('large pictures are decoded one at a time: %s', async (format, width, height) => {
  const folder = await temporaryFolder();
  const create = { width, height, channels: 3, background: 'red' } as const;
  const picture = await sharp({ create }).toFormat(format, { quality: 50, effort: 0 }).toBuffer();
  const looks = new Map<string, () => number>();
  const decoder = createSharpDecoder({
    maxPixels: 64e6,
    metrics: { ...noMetrics, gauge: (_name, _help, look, labels) => looks.set(JSON.stringify(labels), look) },
  });
  onTestFinished(() => decoder.close());
  const jobs = (state: string) => looks.get(JSON.stringify({ queue: 'uploads', state }))?.();
  const seen = new Set<string>();
  const check = async (bytes: Buffer) => {
    const file = join(folder, randomUUID());
    await writeFile(file, bytes);
    await decoder.check(file, `${file}.small`);
  };
  // Both decoders are there then.
  const small = await makePicture();
  await Promise.all([check(small), check(small)]);
  const timer = setInterval(() => seen.add(`${jobs('running')} ${jobs('waiting')}`), 1);
  await Promise.all([check(picture), check(picture), check(picture)]);
  clearInterval(timer);
  expect([...seen]).toContain('1 2');
});
