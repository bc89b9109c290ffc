import { S3ServiceException } from '@aws-sdk/client-s3';
import { AppError } from '../../errors.ts';

/**
 * What a store has said, without the request that it answers, which the SDK's errors carry with them: no signature
 * belongs into a log.
 */
export class S3Error extends Error {
  /** Of HTTP; null where there was no answer. */
  readonly status: number | null;

  constructor(error: Error) {
    super(error.message);
    this.name = error.name;
    this.status = statusOf(error);
  }
}

/** The HTTP status that the store has refused something with; null where it has not answered. */
export function statusOf(error: unknown): number | null {
  return error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? null) : null;
}

/** Whether the store has said anything before work on it failed. */
export function hasAnswered(error: unknown): boolean {
  return error instanceof AppError && error.cause instanceof S3Error && error.cause.status !== null;
}

/** How clients hear of a store that fails. What it says itself is for the log. */
export function storeFault(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const cause = error instanceof Error ? new S3Error(error) : error;
  if (cause instanceof S3Error && ['QuotaExceeded', 'InsufficientCapacity'].includes(cause.name)) {
    const detail = 'The server has no room left. Tell its owner, and try again later.';
    return new AppError('storage_full', detail, { cause });
  }
  const detail = 'The server cannot use its storage at the moment. Try again later.';
  return new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '30' }, cause });
}
