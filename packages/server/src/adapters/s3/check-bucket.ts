import { randomUUID } from 'node:crypto';
import { AppError, StartError } from '../../errors.ts';
import { S3Error } from './fault.ts';
import type { Objects } from './objects.ts';
import type { S3Location } from './s3-location.ts';

/** How far the clocks of a server and its store may differ, in milliseconds: as long as a link of `--serve-images redirect` lives. */
const CLOCKS_DIFFER = 5 * 60 * 1000;

/**
 * Whether the server can work with a bucket: lists, writes, reads and removes there, and sees to it that the store knows
 * conditional writes, without which two servers would overwrite each other. And that its clock is right: the SDK corrects
 * its signatures by itself, but by a wrong clock a server would sweep what others are just storing, and what has not expired.
 *
 * @param now milliseconds since the epoch
 * @throws StartError `images_unusable`, which says what to do
 */
export async function checkBucket(objects: Objects, location: S3Location, now: number): Promise<void> {
  const key = `probe-${randomUUID()}`;
  try {
    await objects.list(key).next();
    await objects.write(key, '', { when: 'absent' });
    const found = await objects.head(key);
    const ignores =
      (await objects.write(key, 'absent', { when: 'absent' })) ||
      (await objects.write(key, 'etag', { when: { etag: '"00000000000000000000000000000000"' } }));
    await objects.remove([key]);
    if (ignores || found === null)
      throw unusable(
        'The S3 store of --images does not know conditional writes (If-None-Match and If-Match), which keep servers from overwriting each other: use one that does.',
      );
    const ahead = now - found.modified.getTime();
    if (Math.abs(ahead) > CLOCKS_DIFFER) {
      const difference = `${Math.round(Math.abs(ahead) / 60_000)} minutes ${ahead > 0 ? 'ahead of' : 'behind'}`;
      throw unusable(
        `The clock of this machine is ${difference} that of the S3 store of --images, and pictures expire by it: set the clocks (by NTP), and start again.`,
      );
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    const cause = error instanceof AppError && error.cause !== undefined ? error.cause : error;
    throw unusable(advise(cause, location), cause);
  }
}

function advise(error: unknown, { bucket, endpoint, region }: S3Location): string {
  const { name, message } = error as Error;
  const where = endpoint ?? 'AWS';
  if (name === 'CredentialsProviderError' || name === 'CredentialsError') {
    return 'No credentials for the S3 store of --images were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role.';
  }
  if (/region is missing/i.test(message)) {
    return 'The region of the bucket in --images is not known: add ?region=… to it, or set AWS_REGION.';
  }
  if (name === 'NoSuchBucket') {
    return `There is no bucket "${bucket}" at ${where}: make it, or name another one with --images.`;
  }
  if (name === 'InvalidAccessKeyId' || name === 'SignatureDoesNotMatch' || name === 'ExpiredToken') {
    return `The S3 store of --images does not accept the credentials (${name}): correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or whatever they come from.`;
  }
  switch (error instanceof S3Error ? (error.status ?? 0) : 0) {
    case 301:
    case 307:
    case 400:
      return `The bucket "${bucket}" of --images is not reached in region ${region ?? 'of the SDK’s settings'} (${name}): name the right one with ?region=…, or use ?path-style=true.`;
    case 403:
      return `The credentials may not use the bucket "${bucket}" of --images: allow s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload.`;
    case 404:
      return `There is no bucket "${bucket}" at ${where}: make it, or name another one with --images.`;
    default:
      return `The S3 store of --images at ${where} cannot be used: ${message}. Start it, or correct its address.`;
  }
}

function unusable(message: string, cause?: unknown): StartError {
  return new StartError('images_unusable', message, { cause });
}
