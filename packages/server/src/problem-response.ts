import { problems, problemType, type ProblemCode, type ProblemResponse } from '@imgup/shared';

interface ProblemOptions {
  headers?: Record<string, string>;
  /** What the log calls the request. */
  requestId: string;
}

/**
 * An answer as RFC 9457 has it, whose `instance` is the request (section 3.1.5). A 401 says how to authenticate, as
 * RFC 6750 (section 3) has it.
 */
export function problemBody(code: ProblemCode, detail: string, requestId: string): ProblemResponse {
  const { status, title } = problems[code];
  return { type: problemType(code), title, status, detail, code, instance: `urn:imgup:request:${requestId}` };
}

export function problemResponse(code: ProblemCode, detail: string, { headers, requestId }: ProblemOptions): Response {
  const body = problemBody(code, detail, requestId);
  return new Response(JSON.stringify(body), {
    status: body.status,
    headers: {
      // Hono adds those of middleware only to what it makes itself.
      'X-Content-Type-Options': 'nosniff',
      'X-Request-Id': requestId,
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(body.status === 401 && { 'WWW-Authenticate': authenticateChallenge(code, detail) }),
      ...headers,
    },
  });
}

function authenticateChallenge(code: ProblemCode, detail: string): string {
  if (!code.startsWith('token_') || code === 'token_missing') return 'Bearer realm="imgup"';
  return `Bearer realm="imgup", error="invalid_token", error_description="${detail}"`;
}
