import * as http from 'node:http';
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { once } from '../once.ts';
import { CONNECT_TIMEOUT_MS, IDLE_TIMEOUT_MS, TransportError, transportFailure } from './transport.ts';
import type { StreamBody, Transport, TransportRequest, TransportResponse } from './transport.ts';

/** How long a server may take to say 100 before the body is sent anyway (RFC 9110, section 10.1.1, asks for such a bound). */
const CONTINUE_TIMEOUT_MS = 1_000;

export interface NodeTransportOptions {
  connectTimeoutMs?: number;
  idleTimeoutMs?: number;
}

/**
 * Exchanges over node:http and node:https, which are part of Node and load in no time.
 *
 * A streamed body waits for the server's 100, so that a refusal (401, 413, 429) costs none of it. Errors: `TransportError`.
 */
export function createNodeTransport(options: NodeTransportOptions = {}): Transport {
  // TLS takes 3 ms to load.
  const ways = {
    'http:': once(() => openWay(http)),
    'https:': once(() => openWay(process.getBuiltinModule('node:https'))),
  };

  return async function nodeTransport(request) {
    const { url } = request;
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`not http: ${url.protocol}`);
    const way = ways[url.protocol]();
    const response = await exchange(request, { way, expect: true, ...options });
    if (response.status !== 417) return response;
    // RFC 9110, section 10.1.1: after a 417 the request is repeated without the expectation.
    for await (const _ of response.body);
    return exchange(request, { way, expect: false, ...options });
  };
}

/** One of node:http and node:https, with the connections that it keeps. */
interface Way {
  agent: Agent;
  request: typeof http.request;
}

function openWay({ Agent, request }: Pick<typeof http, 'Agent' | 'request'>): Way {
  return { agent: new Agent({ keepAlive: true }), request };
}

interface ExchangeOptions extends NodeTransportOptions {
  way: Way;
  expect: boolean;
}

function exchange(request: TransportRequest, options: ExchangeOptions): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    let answered = false;
    const fail = (error: unknown) => reject(transportFailure(error, request));
    const outgoing = open(request, options);
    const { signal } = request;
    const abort = () => outgoing.destroy(new Error('aborted'));
    signal?.addEventListener('abort', abort, { once: true });
    outgoing.on('close', () => signal?.removeEventListener('abort', abort));

    limitTimes(outgoing, request, options);
    outgoing.on('response', (incoming: IncomingMessage) => {
      answered = true;
      resolve({
        status: incoming.statusCode ?? 0,
        headers: headersOf(incoming),
        body: bodyOf(incoming, outgoing),
      });
    });
    // After an answer a broken pipe only says that the server wants no more of the body: the promise has settled.
    outgoing.on('error', fail);
    outgoing.on('close', () => fail(new TransportError('cut', request.url.origin, 'the connection was cut')));

    if (typeof request.body === 'object') {
      sendStream(outgoing, request.body, { expect: options.expect, answered: () => answered }).catch((error) => {
        // Only the body throws here, and its errors are not the network's.
        reject(error);
        outgoing.destroy();
      });
    } else {
      outgoing.end(request.body);
    }
    if (signal?.aborted === true) abort();
  });
}

function open({ method, url, headers, body }: TransportRequest, { way, expect }: ExchangeOptions): ClientRequest {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body?.length;
  const settings: RequestOptions = {
    method,
    agent: way.agent,
    headers: {
      ...headers,
      ...(length === undefined ? {} : { 'content-length': length }),
      ...(expect && typeof body === 'object' ? { expect: '100-continue' } : {}),
    },
  };
  return way.request(url, settings);
}

function limitTimes(outgoing: ClientRequest, { url }: TransportRequest, options: ExchangeOptions): void {
  const timedOut = (what: string) => outgoing.destroy(new TransportError('timeout', url.origin, what));
  outgoing.setTimeout(options.idleTimeoutMs ?? IDLE_TIMEOUT_MS, () => timedOut('no answer in time'));
  outgoing.on('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => timedOut('it does not take the connection'),
      options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    );
    const done = () => clearTimeout(timer);
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', done);
    socket.once('close', done);
  });
}

async function sendStream(
  outgoing: ClientRequest,
  body: StreamBody,
  { expect, answered }: { expect: boolean; answered: () => boolean },
): Promise<void> {
  if (expect) await permission(outgoing);
  if (answered() || outgoing.destroyed) return;
  let sent = 0;
  for await (const chunk of body.stream()) {
    // The turn of the event loop lets an early answer be read before a write to a closed connection fails and hides it.
    await nextTurn();
    if (answered() || outgoing.destroyed) return;
    sent += chunk.length;
    if (sent > body.length) break;
    if (!outgoing.write(chunk)) await drained(outgoing);
  }
  if (answered() || outgoing.destroyed) return;
  if (sent !== body.length) throw new Error('the file changed while it was sent');
  outgoing.end();
}

/** Waits for the server's 100, its final answer, the end of the connection, or long enough. */
function permission(outgoing: ClientRequest): Promise<void> {
  outgoing.flushHeaders();
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    // The second counts from the moment that the server could have seen the headers.
    const whenConnected = () => (timer = setTimeout(resolve, CONTINUE_TIMEOUT_MS));
    outgoing.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', whenConnected);
      else whenConnected();
    });
    for (const event of ['continue', 'response', 'error', 'close']) {
      outgoing.once(event, () => {
        clearTimeout(timer);
        resolve();
      });
    }
  });
}

function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'response', 'error', 'close']) outgoing.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'response', 'error', 'close']) outgoing.once(event, done);
  });
}

async function* bodyOf(incoming: IncomingMessage, outgoing: ClientRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* incoming;
  } finally {
    // An answer that came before the whole body leaves the connection half-way through a request: of no more use.
    if (!outgoing.writableFinished) outgoing.destroy();
  }
}

function headersOf(incoming: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
