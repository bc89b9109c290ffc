import fresh from 'fresh';
import type { Context } from 'hono';
import parseRange from 'range-parser';

interface Served {
  /** A strong one. */
  etag: string;
  /** As in the header. */
  lastModified: string;
  /** In bytes. */
  length: number;
}

type Decision =
  /** The range is the first and the last byte, both included; null: all of them. */
  { status: 200; range: null } | { status: 206; range: { start: number; end: number } } | { status: 304 | 412 | 416 };

const WHOLE: Decision = { status: 200, range: null };

/** What a GET or HEAD is answered with, by its conditions and its range, in the order of RFC 9110, section 13.2.2. */
export function decideStatus(c: Context, served: Served): Decision {
  const headers = c.req.header();
  if (!isAsExpected(headers, served)) return { status: 412 };
  if (fresh(headers, { etag: served.etag, 'last-modified': served.lastModified })) return { status: 304 };
  return c.req.method === 'GET' ? decideRange(headers, served) : WHOLE;
}

/** If-Match, which compares strongly, and else If-Unmodified-Since (sections 13.1.1 and 13.1.4). */
function isAsExpected(headers: Record<string, string>, { etag, lastModified }: Served): boolean {
  const match = headers['if-match'];
  if (match !== undefined) return match.split(',').some((tag) => ['*', etag].includes(tag.trim()));
  // What is no date compares with nothing, and is ignored.
  return !(Date.parse(lastModified) > Date.parse(headers['if-unmodified-since'] ?? ''));
}

/**
 * The one range that is asked for (section 14). Several at once, or one under an If-Range that no longer holds, are
 * answered with everything, as section 14.2 allows.
 */
function decideRange(headers: Record<string, string>, { etag, lastModified, length }: Served): Decision {
  const { range: header, 'if-range': condition } = headers;
  if (header === undefined || (condition && condition !== etag && condition !== lastModified)) return WHOLE;
  const ranges = parseRange(length, header);
  if (ranges === -1) return { status: 416 };
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return WHOLE;
  const [range] = ranges;
  return range ? { status: 206, range } : WHOLE;
}
