import { transportFailure, type Transport } from '../src/api/transport.ts';

/** What `createApp` gives, and the global `fetch` would do as well. */
export type FetchLike = (request: Request) => Response | Promise<Response>;

/**
 * Hands a client's requests to an app in the same process, without a port.
 *
 * @param serverNow the clock that the answers' `Date` is read from, which an HTTP server adds to what an app answers
 */
export function createFetchTransport(fetch: FetchLike, serverNow: () => number): Transport {
  return async function fetchTransport(request) {
    const { method, url, headers, body, signal } = request;
    const streamed = typeof body === 'object';
    try {
      const response = await fetch(
        new Request(url, {
          method,
          headers: { ...headers, ...(streamed ? { 'content-length': String(body.length) } : {}) },
          body: streamed ? ReadableStream.from(body.stream()) : (body ?? null),
          signal: signal ?? null,
          redirect: 'manual',
          duplex: 'half',
        }),
      );
      return {
        status: response.status,
        headers: { date: new Date(serverNow()).toUTCString(), ...Object.fromEntries(response.headers) },
        body: response.body ?? nothing(),
      };
    } catch (error) {
      throw transportFailure(error, request);
    }
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // An answer such as 204 has no body.
}
