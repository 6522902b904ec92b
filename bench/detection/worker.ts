/** A worker thread of the evaluation: tasks come in, results go out. */

import { parentPort } from 'node:worker_threads';
import { runTask, type Task } from './task.ts';

parentPort?.on('message', ({ index, task }: { index: number; task: Task }) => {
  try {
    parentPort?.postMessage({ index, result: runTask(task) });
  } catch (error) {
    parentPort?.postMessage({
      index,
      failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
});
