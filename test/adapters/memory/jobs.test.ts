import { createMemoryJobs, newJobMemory } from '../../../src/adapters/memory/jobs.ts';
import { CONTRACT_ATTEMPTS, describeJobsContract } from '../contract/jobs.ts';

describeJobsContract('memory', async () => {
  const memory = newJobMemory();
  return { open: () => createMemoryJobs(memory, { attempts: CONTRACT_ATTEMPTS, backoffMs: 5 }) };
});
