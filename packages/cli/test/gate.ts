import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface Passing {
  /** `POST /api/login`. */
  what: string;
  headers: IncomingHttpHeaders;
  /** Lets the request through to the server, and holds its answer. */
  forward(): Promise<Answer>;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * Stands between processes and a server, so that a test can stop an exchange at any of its points.
 *
 * `way` gives the answer, or null to cut the connection.
 */
export async function openGate(target: string) {
  const asked: string[] = [];
  const gate = {
    origin: '',
    asked,
    /** How often something was asked. */
    count: (what: string) => asked.filter((each) => each === what).length,
    way: (passing: Passing): Promise<Answer | null> => passing.forward(),
  };
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const what = `${method} ${url}`;
    asked.push(what);
    const forward = async (): Promise<Answer> => {
      const body = await buffer(incoming);
      const { expect: _, ...kept } = headers;
      const request = httpRequest(new URL(url, target), { method, headers: kept });
      request.end(body);
      const [response] = (await once(request, 'response')) as [typeof incoming];
      return { status: response.statusCode ?? 0, headers: response.headers, body: await buffer(response) };
    };
    gate.way({ what, headers, forward }).then(
      (answer) => {
        if (answer === null) incoming.socket.destroy();
        else outgoing.writeHead(answer.status, answer.headers).end(answer.body);
      },
      () => incoming.socket.destroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  gate.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return gate;
}
