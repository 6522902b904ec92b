/**
 * Ends a set of servers when the process that opened it is gone: `node keeper.ts FOLDER-OF-SETS ID`, with
 * a pipe from that process as standard input.
 */

import path from 'node:path';
import { removeSet } from './engine-set.ts';

const [setsFolder, id] = process.argv.slice(2);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once('close', resolve));
await removeSet(path.join(setsFolder, `${id}-${process.pid}`));
