import { type CheckpointMemory, createMemoryCheckpoints } from '../../../src/adapters/memory/checkpoints.ts';
import { describeCheckpointsContract } from '../contract/checkpoints.ts';

describeCheckpointsContract('memory', async () => {
  const memory: CheckpointMemory = new Map();
  return {
    open: () => createMemoryCheckpoints(memory),
    async change(key, part, change) {
      const cell = memory.get(key)!;
      if (part === null) cell.manifest = change(cell.manifest!);
      else cell.parts.set(part, change(cell.parts.get(part)!));
    },
    async list() {
      return [...memory].flatMap(([key, { parts }]) => [key, ...[...parts.keys()].map((part) => `${key} ${part}`)]);
    },
  };
});
