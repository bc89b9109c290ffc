import { Readable } from 'node:stream';
import { ProxyAgent, request as send } from 'undici';
import { shownProxy } from './proxy.ts';
import { CONNECT_TIMEOUT_MS, IDLE_TIMEOUT_MS, transportFailure } from './transport.ts';
import type { StreamBody, Transport, TransportRequest } from './transport.ts';

/**
 * Exchanges through a proxy, which node:http cannot do. Loading undici costs more than a whole upload, so only a proxy brings it in.
 *
 * Which requests the proxy is for has been decided by `proxyFor`. Errors: `TransportError`.
 *
 * @param proxy `http://`, `https://` or `socks5://`, with credentials if the proxy wants them
 */
export function createUndiciTransport(proxy: string): Transport {
  const dispatcher = new ProxyAgent({
    uri: proxy,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: IDLE_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
  });

  const failure = (error: unknown, request: TransportRequest) =>
    transportFailure(error, request, { proxy: shownProxy(proxy) });

  async function* bodyOf(body: AsyncIterable<Uint8Array>, request: TransportRequest): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw failure(error, request);
    }
  }

  return async function undiciTransport(request) {
    const { method, url, body, signal } = request;
    const length = typeof body === 'object' ? { 'content-length': String(body.length) } : {};
    const source = typeof body === 'object' ? watched(body) : null;
    try {
      const response = await send(url, {
        dispatcher,
        method,
        headers: { ...request.headers, ...length },
        body: typeof body === 'string' ? body : source && Readable.from(source.stream()),
        signal: signal ?? null,
      });
      return { status: response.statusCode, headers: flat(response.headers), body: bodyOf(response.body, request) };
    } catch (error) {
      throw source?.failure()?.error ?? failure(error, request);
    }
  };
}

/** A body whose own error is known from the network's. */
function watched(body: StreamBody) {
  let failure: { error: unknown } | null = null;
  return {
    failure: () => failure,
    async *stream(): AsyncGenerator<Uint8Array> {
      try {
        yield* body.stream();
      } catch (error) {
        failure = { error };
        throw error;
      }
    },
  };
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const one: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) one[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return one;
}
