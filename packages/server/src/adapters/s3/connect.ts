import { S3Client } from '@aws-sdk/client-s3';
import type { S3Location } from './s3-location.ts';

/** How long the store may leave a connection silent while an answer or room for more is waited for, in milliseconds. */
export const IDLE = 5000;

/**
 * The AWS SDK's client. Credentials are found its usual way: the environment, the shared configuration, the role of the
 * ECS task or the EC2 instance.
 */
export function connectS3({ endpoint, region, pathStyle }: S3Location): S3Client {
  // oxlint-disable-next-line node/no-process-env -- the SDK's only switch for a note to those who choose its version
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  return new S3Client({
    ...(endpoint !== null && { endpoint }),
    ...(region !== null && { region }),
    forcePathStyle: pathStyle,
    retryMode: 'standard',
    maxAttempts: 3,
    // Bodies are vouched for by their SHA-256, which is signed; and not every engine knows checksums that trail.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 1500,
      socketTimeout: IDLE,
      // Each is for a request that is being answered, which bounds them; slow readers must not use up those of uploads.
      httpAgent: { maxSockets: Infinity },
      httpsAgent: { maxSockets: Infinity },
    },
  });
}
