import type { ApiError } from '../errors.ts';
import type { TransportResponse } from './transport.ts';

/** How it is with the upload limit. */
export interface LimitState {
  /** Uploads that may be made in any window, which is that many seconds long. */
  quota: number;
  windowSeconds: number;
  /** Uploads that would be admitted now, and the seconds until there is one more. */
  uploads: number;
  nextIn: number;
  /** Refusals of the last window, to whichever client of this user. */
  refused: number;
}

/** The seconds of `Retry-After`, which may be a date too: null then. */
export function readRetryAfter(headers: TransportResponse['headers']): number | null {
  const value = headers['retry-after'] ?? '';
  return /^\d{1,9}$/.test(value) ? Number(value) : null;
}

/** `RateLimit: "upload";r=3;t=12` (draft-ietf-httpapi-ratelimit-headers), with the policy and our own header. */
export function readLimitState(headers: TransportResponse['headers']): LimitState | null {
  const [, uploads, nextIn] = /"upload";r=(\d{1,9});t=(\d{1,9})/.exec(headers['ratelimit'] ?? '') ?? [];
  const policy = readUploadLimit(headers);
  if (policy === null || uploads === undefined || nextIn === undefined) return null;
  const refused = headers['x-imgup-refused'] ?? '0';
  return {
    quota: policy.uploads,
    windowSeconds: policy.windowSeconds,
    uploads: Number(uploads),
    nextIn: Number(nextIn),
    refused: /^\d{1,9}$/.test(refused) ? Number(refused) : 0,
  };
}

/** `RateLimit-Policy: "upload";q=5;w=60` (draft-ietf-httpapi-ratelimit-headers). */
export function readUploadLimit(headers: TransportResponse['headers']): ApiError['limit'] {
  const [, quota, window] = /"upload";q=(\d{1,9});w=(\d{1,9})/.exec(headers['ratelimit-policy'] ?? '') ?? [];
  return quota === undefined || window === undefined ? null : { uploads: Number(quota), windowSeconds: Number(window) };
}
