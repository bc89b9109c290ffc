import { EXIT, CliError } from '../errors.ts';
import type { Answer } from './answer.ts';

/** For an answer that no imgup server gives: something else listens there, or something stands in between. */
export function unexpectedAnswer({ origin, status, headers }: Answer): CliError {
  if (status === 413) {
    return new CliError(
      'image_too_large',
      EXIT.refused,
      `A proxy in front of ${origin} refuses a picture of this size; send a smaller one, or have the proxy's limit raised.`,
    );
  }
  if (status === 502 || status === 503 || status === 504) {
    return new CliError(
      'server_unreachable',
      EXIT.unreachable,
      `Cannot reach ${origin}: the proxy in front of it answers ${status}. Try again in a while.`,
    );
  }
  const type = headers['content-type']?.split(';')[0] ?? 'no content type';
  return new CliError(
    'server_unexpected',
    EXIT.failed,
    `${origin} does not answer as an imgup server does (HTTP ${status}, ${type}); check --server.`,
  );
}

/** For a redirect, which is never followed: it could carry a token to another server. */
export function redirected(answer: Answer): CliError {
  const location = answer.headers['location'] ?? '';
  const target = URL.canParse(location, answer.origin) ? new URL(location, answer.origin).origin : answer.origin;
  if (target === answer.origin || target === 'null') return unexpectedAnswer(answer);
  return new CliError(
    'redirected',
    EXIT.failed,
    `${answer.origin} sends requests on to ${target}; if you trust it, use --server ${target}.`,
  );
}
