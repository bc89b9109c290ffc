import { S3ServiceException } from '@aws-sdk/client-s3';
import { AppError } from '../../errors.ts';

/** The HTTP status that the store has refused something with; null where it has not answered. */
export function statusOf(error: unknown): number | null {
  return error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? null) : null;
}

/** How clients hear of a store that fails. What it says itself is for the log. */
export function storeFault(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error && ['QuotaExceeded', 'InsufficientCapacity'].includes(error.name)) {
    const detail = 'The server has no room left. Tell its owner, and try again later.';
    return new AppError('storage_full', detail, { cause: error });
  }
  const detail = 'The server cannot use its storage at the moment. Try again later.';
  return new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '30' }, cause: error });
}
