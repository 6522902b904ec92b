/** TLS in front of a server that has none. */

import { connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { KeyPair } from './certificates.ts';
import { freePorts } from './ports.ts';

/** Listens on 127.0.0.1, and hands on what it reads. To be closed. */
export async function openTlsFront(
  behind: { host: string; port: number },
  { key, cert }: KeyPair,
): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ key, cert }, (outside) => {
    const inside = connect(behind.port, behind.host);
    for (const [socket, other] of [
      [inside, outside],
      [outside, inside],
    ]) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    outside.pipe(inside).pipe(outside);
  });
  const [port] = await freePorts(1);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
