import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A way to a server on which every exchange takes a while in both directions, and which tells how far the last
 * refresh has come.
 *
 * @param {string} target
 * @param {() => number} latency in milliseconds, asked for once for each direction
 */
export async function openSlowWay(target, latency) {
  /** @type {'not asked' | 'asked' | 'rotated' | 'answered'} */
  let progress = 'not asked';
  const server = createServer((incoming, outgoing) => {
    const pass = async () => {
      const { method, url = '', headers } = incoming;
      const refreshes = url === '/api/token/refresh';
      if (refreshes) progress = 'asked';
      const body = await buffer(incoming);
      await sleep(latency());
      const onward = request(new URL(url, target), { method, headers });
      onward.end(body);
      const [answer] = /** @type {[import('node:http').IncomingMessage]} */ (await once(onward, 'response'));
      const content = await buffer(answer);
      if (refreshes) progress = 'rotated';
      await sleep(latency());
      if (refreshes) progress = 'answered';
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers).end(content);
    };
    pass().catch(() => incoming.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    progress: () => progress,
    reset() {
      progress = 'not asked';
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
