import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { createApp, type AppOptions } from './compose.ts';
import type { ServerConfig } from './config.ts';
import { StartError } from './errors.ts';
import { silentLogger } from './logger.ts';
import { createRefuseUnheard } from './refuse-unheard.ts';
import { createTakeTurns } from './take-turns.ts';

/** How long a client may send on after an early answer; and one that was told that it is too slow. */
const LINGER = 5000;
const LINGER_SLOW = 500;

/** In milliseconds. Bodies have a minimum rate of their own, so this bounds the largest at the slowest. */
const TIMEOUTS = {
  headersTimeout: 15_000,
  requestTimeout: 10 * 60_000,
  /** Longer than proxies keep an idle connection (nginx and AWS's: 60 s), or one would send a request as it is being closed. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 2000,
  /** For a client that does not read its answer, and so holds a connection and an open file. */
  unreadTimeout: 60_000,
  /** How long requests under way may go on when the server stops. */
  stopGrace: 10_000,
};

export interface RunningServer {
  /** Where it can be reached, `http://127.0.0.1:4747` say. */
  url: string;
  /** Refuses new requests, lets those under way finish for up to 10 s, and frees the data folder. */
  close(): Promise<void>;
}

export interface StartOptions extends ServerConfig, Pick<AppOptions, 'now' | 'passwordCost' | 'logger'> {
  /** In milliseconds; for tests. */
  timeouts?: Partial<typeof TIMEOUTS>;
}

/**
 * Starts a server; it answers when this resolves.
 *
 * @throws StartError where a setting, the port or the data folder cannot be used
 */
export async function startServer({ timeouts, ...options }: StartOptions): Promise<RunningServer> {
  const { unreadTimeout, stopGrace, ...nodeTimeouts } = { ...TIMEOUTS, ...timeouts };
  const app = await createApp(options);
  const refuse = createRefuseUnheard({ logger: options.logger ?? silentLogger, metrics: app.metrics });
  const listener = getRequestListener(app.fetch, {
    // Answers are then no Responses of undici, which cost a small request half of its time. A Request or Response that
    // somebody else makes in this process is one of these, too, and behaves alike.
    overrideGlobalObjects: true,
    // It would cut off a client that goes on sending after half a second or 64 MB: see `linger`.
    autoCleanupIncoming: false,
    // Reached only for what is no request for the app at all.
    errorHandler: refuse.unfit,
  });
  /** Connections without a request so far: browsers and pools open some in advance, and node takes them for busy ones. */
  const unused = new Set<Socket>();
  const connections = new Set<Socket>();
  app.metrics.gauge('imgup_connections', 'Open connections.', () => connections.size);
  const underWay = new Set<ServerResponse>();
  let stopping = false;
  const takeTurns = createTakeTurns();
  const receive = (request: IncomingMessage, response: ServerResponse) => {
    unused.delete(request.socket);
    takeTurns(request, response, () => answer(request, response));
  };
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    // HTTP/1.0 has no Host, and simple health checks speak it.
    if (request.httpVersion === '1.0') request.headers.host ??= 'localhost';
    response.once('finish', () => {
      if (!request.complete) linger(request, response);
      else if (stopping) request.socket.destroySoon();
    });
    if (stopping) {
      refuse.answer(response, 'server_busy');
      return;
    }
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
    // Node looks whether anything of what it has handed on was taken meanwhile. With nothing to read, the app is at work.
    response.setTimeout(unreadTimeout, () => {
      if (request.socket.writableLength > 0) request.socket.destroy();
    });
    // Node takes the first; a proxy before it may have gone by the other (RFC 9112, section 3.2).
    if ((request.headersDistinct['host']?.length ?? 0) > 1) {
      refuse.answer(response, 'invalid_request');
      return;
    }
    void listener(request, response);
  };
  // A missing Host is the listener's to refuse: node's own answer to it has no body.
  const server = createServer({ ...nodeTimeouts, requireHostHeader: false }, receive);
  // Without this, node would ask for the body before the app has looked at the headers.
  server.on('checkContinue', receive);
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    refuse.answer(response, 'expectation_failed');
  });
  server.on('connect', (_request, socket: Socket) => {
    refuse.endSocket(socket, 'method_not_allowed');
  });
  server.on('connection', (socket) => {
    unused.add(socket);
    connections.add(socket);
    socket.once('close', () => {
      unused.delete(socket);
      connections.delete(socket);
    });
  });
  server.on('clientError', refuse.malformed);

  try {
    server.listen(options.port, options.host);
    await once(server, 'listening');
  } catch (error) {
    await app.close();
    throw listenError(error as NodeJS.ErrnoException, options);
  }

  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    async close() {
      stopping = true;
      const closed = once(server, 'close');
      server.close();
      for (const socket of unused) socket.destroy();
      for (const response of underWay) if (!response.headersSent) response.setHeader('Connection', 'close');
      const force = setTimeout(() => {
        server.closeAllConnections();
      }, stopGrace);
      await closed;
      clearTimeout(force);
      await app.close();
    },
  };
}

/**
 * Lets a client that was answered early send on for a while, unread: if the connection were closed at once, the rest
 * of its body would meet a reset, and it would lose the answer (RFC 9112, section 9.6).
 */
function linger(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const timer = setTimeout(() => socket.destroy(), response.statusCode === 408 ? LINGER_SLOW : LINGER);
  const stop = () => {
    clearTimeout(timer);
    // The connection may go on, and be answered early again.
    socket.off('close', stop);
  };
  socket.once('close', stop);
  // Whatever goes wrong with what nobody reads is no news.
  request
    .on('error', () => undefined)
    .once('end', stop)
    .resume();
}

function listenError(error: NodeJS.ErrnoException, { host, port }: ServerConfig): StartError {
  if (error.code === 'EADDRINUSE') {
    const message = `Port ${port} on ${host} is in use: stop what listens there, or choose another with --port.`;
    return new StartError('port_in_use', message, { cause: error });
  }
  return new StartError('listen_failed', `Cannot listen on ${host}, port ${port}: ${error.message}`, { cause: error });
}
