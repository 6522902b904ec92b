/** Runs tasks in worker threads; results come in the order of the tasks, whoever finished first. */

import { Worker } from 'node:worker_threads';
import type { GroupResult } from './group.ts';
import { runTask, type Task } from './task.ts';

export type Done = { result: GroupResult | null } | { failure: string };

export async function runTasks(
  tasks: readonly Task[],
  workers: number,
  progress: (done: number) => void,
): Promise<Done[]> {
  const results: Done[] = new Array(tasks.length);
  let finished = 0;
  if (workers <= 1) {
    tasks.forEach((task, index) => {
      try {
        results[index] = { result: runTask(task) };
      } catch (error) {
        results[index] = { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
      }
      progress(++finished);
    });
    return results;
  }
  let next = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), {
        resourceLimits: { maxOldGenerationSizeMb: 6144 },
      });
      const give = (): void => {
        if (next === tasks.length) {
          worker.terminate().then(() => resolve(), reject);
          return;
        }
        const index = next++;
        worker.postMessage({ index, task: tasks[index] });
      };
      worker.on('message', ({ index, ...done }: { index: number } & Done) => {
        results[index] = done;
        progress(++finished);
        give();
      });
      worker.on('error', reject);
      give();
    });
  await Promise.all(Array.from({ length: Math.min(workers, tasks.length) }, work));
  return results;
}
