import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Ports of a server that is killed and started again must still be free then. So they come from below
 * the range that systems take for outgoing connections (32768 on Linux, 49152 elsewhere).
 */
const FIRST = 20_000;
const LAST = 32_000;

/** Ports on 127.0.0.1 where nobody listens, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > 1000) throw new Error(`No free port found on 127.0.0.1 between ${FIRST} and ${LAST}`);
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
