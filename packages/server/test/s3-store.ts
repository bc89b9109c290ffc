import { afterAll, beforeAll } from 'vitest';
import { hasRadosgw, MISSING_RADOSGW, S3_CREDENTIALS, startRadosgw } from '../../../scripts/radosgw.js';
import { connectS3 } from '../src/adapters/s3/connect.ts';
import { createObjects } from '../src/adapters/s3/objects.ts';
import { parseS3Location, type S3Location } from '../src/adapters/s3/s3-location.ts';

export const hasS3 = hasRadosgw();
if (!hasS3) console.log(MISSING_RADOSGW);

type Engine = Awaited<ReturnType<typeof startRadosgw>>;

/** An S3 engine of this file's own, from before its first test until after its last. */
export function useEngine(options?: Parameters<typeof startRadosgw>[0]) {
  let running: Engine | undefined;
  const engine = () => {
    if (running === undefined) throw new Error(MISSING_RADOSGW);
    return running;
  };
  beforeAll(async () => {
    if (!hasS3) return;
    Object.assign(process.env, S3_CREDENTIALS);
    running = await startRadosgw(options);
  }, 180_000);
  afterAll(() => running?.stop());
  return {
    engine,
    /** A place of its own in the bucket. @param endpoint of what stands before the engine */
    location: (endpoint?: string) => locationOf(engine().url(undefined, endpoint)),
  };
}

export function locationOf(url: string): S3Location {
  const location = parseS3Location(url);
  if (location === null) throw new Error(`no S3 location: ${url}`);
  return location;
}

export function objectsAt(location: S3Location) {
  return createObjects(connectS3(location), location.bucket, location.prefix);
}

/** All keys, but for those that tell of the store and not of pictures. */
export async function keysAt(location: S3Location): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of objectsAt(location).list('')) if (key !== 'swept' && key !== 'probe') found.push(key);
  return found;
}
