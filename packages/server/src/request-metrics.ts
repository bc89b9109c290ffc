import { paths, problems } from '@imgup/shared';
import type { Metrics } from './ports/metrics.ts';
import type { Traffic } from './traffic.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'DELETE'];

export interface AnsweredRequest {
  method: string;
  /** The pattern that it matched, never its path; null where none did. */
  route: string | null;
  status: number;
  /** The code of the problem that it was answered with, or null. */
  problem: string | null;
  /** From its headers until the answer began. */
  seconds: number;
}

export type RequestMetrics = ReturnType<typeof createRequestMetrics>;

/** What requests move. */
export function createRequestMetrics(metrics: Metrics) {
  const codes = Object.keys(problems);
  const duration = metrics.histogram(
    'imgup_http_request_duration_seconds',
    'Time from the headers of a request until its answer begins, by the pattern of its path.',
    {
      method: METHODS,
      route: Object.values(paths),
      status: ['1xx', '2xx', '3xx', '4xx', '5xx'],
    },
  );
  const problem = metrics.counter('imgup_problems_total', 'Refused requests, by the code of the problem.', {
    code: codes,
  });
  const upload = metrics.counter(
    'imgup_uploads_total',
    'Uploads by what came of them: created, known (this user has these bytes already), or the code of the problem.',
    { result: ['created', 'known', ...codes] },
  );
  const received = metrics.counter('imgup_received_bytes_total', 'Bytes received from clients, headers included.', {});
  const sent = metrics.counter('imgup_sent_bytes_total', 'Bytes sent to clients, headers included.', {});
  let requests = 0;
  let uploads = 0;
  metrics.gauge('imgup_requests_under_way', 'Requests that are being answered.', () => requests);
  metrics.gauge('imgup_uploads_under_way', 'Uploads that are being received or checked.', () => uploads);

  return {
    begin(method: string, route: string | null): void {
      requests += 1;
      if (isUpload(method, route)) uploads += 1;
    },

    answered({ method, route, status, problem: code, seconds }: AnsweredRequest): void {
      // A method that a route does not have says nothing about it, and there are many.
      duration(
        {
          method: status === 405 ? 'other' : method,
          route: route ?? 'other',
          status: `${Math.floor(status / 100)}xx`,
        },
        seconds,
      );
      if (code !== null) problem({ code });
      if (!isUpload(method, route)) return;
      uploads -= 1;
      const stored = status === 201 ? 'created' : 'known';
      upload({ result: code ?? stored });
    },

    /** @param traffic null where there is no connection to count by */
    ended(traffic: Traffic | null): void {
      requests -= 1;
      if (traffic === null) return;
      received({}, traffic.received);
      sent({}, traffic.sent);
    },
  };
}

function isUpload(method: string, route: string | null): boolean {
  return method === 'POST' && route === paths.images;
}
