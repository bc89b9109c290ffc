import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll } from 'vitest';
import { hasRadosgw, MISSING_RADOSGW, S3_CREDENTIALS, startRadosgw } from '../../../scripts/radosgw.js';
import { connectS3 } from '../src/adapters/s3/connect.ts';
import { createObjects } from '../src/adapters/s3/objects.ts';
import { parseS3Location, type S3Location } from '../src/adapters/s3/s3-location.ts';

export const hasS3 = hasRadosgw();
if (!hasS3) console.log(MISSING_RADOSGW);

const BUCKET = 'imgup';

export type Engine = Awaited<ReturnType<typeof startRadosgw>>;

/** An S3 engine of this file's own, from before its first test until after its last. */
export function useEngine(): {
  engine(): Engine;
  location(endpoint?: string): S3Location;
  url(endpoint?: string): string;
} {
  let engine: Engine | undefined;
  const running = () => {
    if (engine === undefined) throw new Error(MISSING_RADOSGW);
    return engine;
  };
  /** A place of its own in the bucket. */
  const url = (endpoint = running().endpoint) =>
    `s3://${BUCKET}/${crypto.randomUUID()}?endpoint=${endpoint}&path-style=true`;
  beforeAll(async () => {
    if (!hasS3) return;
    Object.assign(process.env, S3_CREDENTIALS);
    engine = await startRadosgw();
    const client = connectS3(locationOf(url()));
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    client.destroy();
  }, 90_000);
  afterAll(() => engine?.stop());
  return { engine: running, url, location: (endpoint) => locationOf(url(endpoint)) };
}

export function locationOf(url: string): S3Location {
  const location = parseS3Location(url);
  if (location === null) throw new Error(`no S3 location: ${url}`);
  return location;
}

export function objectsAt(location: S3Location) {
  return createObjects(connectS3(location), location.bucket, location.prefix);
}

/** All keys, but for the time of the last sweep. */
export async function keysAt(location: S3Location): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of objectsAt(location).list('')) if (key !== 'swept' && key !== 'probe') found.push(key);
  return found;
}
