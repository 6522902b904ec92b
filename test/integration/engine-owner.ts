/** A process with a Redis of its own, to be killed: prints where the server is, and never ends by itself. */

import { startOwnEngines } from '../engines/engines.ts';

const { engines } = await startOwnEngines({ redis: true });
const { server } = engines.redis;
process.stdout.write(`${JSON.stringify({ folder: server.plan.folder, pid: server.pid })}\n`);
setInterval(() => {}, 60_000);
