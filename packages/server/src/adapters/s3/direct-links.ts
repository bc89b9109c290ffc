import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { DirectLinks, LinkHeaders } from '../../ports/direct-links.ts';
import type { Objects } from './objects.ts';
import { cacheKey } from './picture-cache.ts';
import { keys } from './picture-keys.ts';

/** Links of one minute are the same, so that a reader's cache knows the picture again. In milliseconds. */
const SAME_FOR = 60_000;

/** Presigned links of an S3 store. */
export function createDirectLinks({ client, at }: Objects): DirectLinks {
  function sign(key: string, headers: LinkHeaders, seconds: number): Promise<string> {
    const command = new GetObjectCommand({
      ...at(key),
      ResponseContentType: headers.contentType,
      ResponseContentDisposition: headers.contentDisposition,
      ResponseCacheControl: headers.cacheControl,
    });
    // The store goes by real time, whatever the server is told in a test; the SDK has seen by how much our clock is wrong.
    const storeTime = Date.now() + client.config.systemClockOffset;
    const signingDate = new Date(Math.floor(storeTime / SAME_FOR) * SAME_FOR);
    return getSignedUrl(client, command, { expiresIn: seconds + SAME_FOR / 1000, signingDate });
  }

  return {
    toPicture: (record, headers, seconds) => sign(keys.picture(record), headers, seconds),
    toSmallVersion: (key, headers, seconds) => sign(cacheKey(key), headers, seconds),
  };
}
