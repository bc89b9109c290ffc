import type { ImageRecord } from '../../ports/image-store.ts';

/**
 * What is needed to remove a picture without its record, as metadata of its object. Without what has no bound: S3 takes
 * 2 KB of metadata, and ASCII.
 */
export function encodeRemains(record: ImageRecord): Record<string, string> {
  const remains: ImageRecord = { ...record, name: null, removed: [] };
  return { record: Buffer.from(JSON.stringify(remains)).toString('base64url') };
}

/**
 * The same for the picture itself, whose metadata everybody sees who follows a link of `--serve-images redirect`: the digest
 * of a file from which private metadata was taken would let them try what that was. Without it a sweep leaves the pointer
 * behind, which is as good as none.
 */
export function encodePublicRemains(record: ImageRecord): Record<string, string> {
  const isAsReceived = record.sourceSha256 === record.sha256;
  return encodeRemains(isAsReceived ? record : { ...record, sourceSha256: '', digestKey: '' });
}

/** Null where a server has not written it. */
export function decodeRemains({ record }: Record<string, string>): ImageRecord | null {
  try {
    return JSON.parse(Buffer.from(record ?? '', 'base64url').toString()) as ImageRecord;
  } catch {
    return null;
  }
}
