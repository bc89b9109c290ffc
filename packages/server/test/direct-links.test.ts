import { S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { createDirectLinks } from '../src/adapters/s3/direct-links.ts';
import { createObjects } from '../src/adapters/s3/objects.ts';

test.each([0, -1, 1])('a link lives by the clock of the store, where ours is %s hours ahead of it', async (hours) => {
  const client = new S3Client({
    region: 'us-east-1',
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    systemClockOffset: -hours * 3_600_000,
  });
  const links = createDirectLinks(createObjects(client, 'bucket', ''));
  const headers = { contentType: 'image/png', contentDisposition: 'inline', cacheControl: 'private' };
  const { searchParams } = new URL(await links.toSmallVersion('small.png', headers, 300));
  const signed = searchParams.get('X-Amz-Date') ?? '';
  const at = Date.parse(signed.replace(/^(....)(..)(..)T(..)(..)/, '$1-$2-$3T$4:$5:'));
  const age = Date.now() - hours * 3_600_000 - at;
  expect(age).toBeGreaterThanOrEqual(0);
  // The minute in which links are the same, and one more in which the test may have begun.
  expect(age).toBeLessThan(120_000);
  expect(searchParams.get('X-Amz-Expires')).toBe('360');
});
