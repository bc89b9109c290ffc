import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problems, type ProblemCode } from '@imgup/shared';
import type { Logger } from './logger.ts';
import type { Metrics } from './ports/metrics.ts';
import { problemBody, problemResponse } from './problem-response.ts';
import { newRequestId } from './request-id.ts';

interface RefuseUnheardOptions {
  logger: Logger;
  metrics: Metrics;
}

const CODES = [
  'invalid_request',
  'headers_too_large',
  'request_timeout',
  'method_not_allowed',
  'expectation_failed',
  'server_busy',
] as const satisfies ProblemCode[];

type Code = (typeof CODES)[number];

/** Answers what the app never hears of in the form that it answers in: with an id, a problem and a line in the log. */
export function createRefuseUnheard({ logger, metrics }: RefuseUnheardOptions) {
  const count = metrics.counter(
    'imgup_unheard_requests_total',
    'What was refused before the app has heard of it, malformed or too slow, by the code of the problem.',
    { code: CODES },
  );

  /** @returns the id that it is answered with */
  function note(code: Code, socket: Socket | null, reason?: string): string {
    const request_id = newRequestId();
    const { status } = problems[code];
    count({ code });
    logger.info({ problem: code, status, ...(reason && { reason }), request_id }, 'request refused unheard');
    // Of a connection that has gone there is none.
    logger.debug({ address: socket?.remoteAddress, request_id }, 'request refused unheard came from');
    return request_id;
  }

  function endSocket(socket: Socket, code: Code, reason?: string): void {
    const { status, headers, body } = rawProblem(code, note(code, socket, reason));
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    socket.end(`HTTP/1.1 ${status} ${problems[code].title}\r\n${head.join('\r\n')}\r\n\r\n${body}`);
  }

  return {
    endSocket,

    /** What the HTTP parser refuses. */
    malformed(error: NodeJS.ErrnoException, socket: Socket): void {
      if (socket.writable && error.code !== 'ECONNRESET') {
        endSocket(socket, malformedCode(error.code), error.code);
        return;
      }
      logger.debug({ reason: error.code }, 'a connection has broken');
      socket.destroy();
    },

    answer(response: ServerResponse, code: Code): void {
      const { status, headers, body } = rawProblem(code, note(code, response.socket));
      response.writeHead(status, headers).end(body);
    },

    /** What is no request of the Fetch API: a malformed Host or target. */
    unfit(): Response {
      const requestId = note('invalid_request', null);
      return problemResponse('invalid_request', 'The request line or the Host header is malformed.', { requestId });
    },
  };
}

function rawProblem(code: Code, requestId: string) {
  const { status, title } = problems[code];
  const body = JSON.stringify(problemBody(code, `${title}.`, requestId));
  const headers = {
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    'X-Request-Id': requestId,
    Connection: 'close',
  };
  return { status, headers, body };
}

function malformedCode(code: string | undefined): Code {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  return 'invalid_request';
}
