import type { Socket } from 'node:net';

export interface Traffic {
  /** Bytes on the wire, headers included. */
  received: number;
  sent: number;
}

/** Counts by the connection rather than by the body: no byte has to be looked at, and what nobody has read counts too. */
export function createTrafficMeter() {
  const counted = new WeakMap<Socket, Traffic>();

  /** What has gone over this connection since it was last asked. */
  return function takeTraffic(socket: Socket): Traffic {
    const { received, sent } = counted.get(socket) ?? { received: 0, sent: 0 };
    counted.set(socket, { received: socket.bytesRead, sent: socket.bytesWritten });
    return { received: socket.bytesRead - received, sent: socket.bytesWritten - sent };
  };
}
