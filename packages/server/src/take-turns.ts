import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** More requests than this on one connection, sent without waiting for an answer, are no client's but a flood. */
const MOST_WAITING = 100;

/**
 * Lets the requests of one connection be answered one after the other, where a client sends several at once (RFC 9112,
 * section 9.3.2). Node hands all of them on, and tells an answer whose turn has not come nothing of the connection's end:
 * the picture that was opened for it would stay open for good.
 */
export function createTakeTurns() {
  /** Those that wait, by the connection that has a request under way. */
  const waiting = new WeakMap<Socket, (() => void)[]>();

  return function takeTurns({ socket }: IncomingMessage, response: ServerResponse, answer: () => void): void {
    const start = () => {
      response.once('close', () => {
        const next = socket.destroyed ? undefined : waiting.get(socket)?.shift();
        if (next === undefined) waiting.delete(socket);
        else next();
      });
      answer();
    };
    const queue = waiting.get(socket);
    if (queue === undefined) {
      waiting.set(socket, []);
      start();
    } else if (queue.length < MOST_WAITING) queue.push(start);
    else socket.destroy();
  };
}
