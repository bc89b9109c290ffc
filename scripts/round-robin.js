import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * Hands each connection to the next of some servers, byte for byte: the smallest load balancer.
 *
 * @param {string[]} origins
 */
export async function startRoundRobin(origins) {
  let next = 0;
  const front = createServer((client) => {
    const { hostname, port } = new URL(origins[next % origins.length] ?? '');
    next += 1;
    const server = connect({ host: hostname, port: Number(port) });
    client.on('error', () => server.destroy()).on('close', () => server.destroy());
    server.on('error', () => client.destroy()).on('close', () => client.destroySoon());
    client.pipe(server).pipe(client);
  });
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (front.address());
  return { origin: `http://127.0.0.1:${port}`, close: () => front.close() };
}
