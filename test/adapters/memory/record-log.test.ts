import { createMemoryRecordLog } from '../../../src/adapters/memory/record-log.ts';
import { describeRecordLogContract } from '../contract/record-log.ts';

describeRecordLogContract('memory', async () => {
  const log = createMemoryRecordLog(2, { idleMs: 20, batchMessages: 2 });
  return {
    partitions: 2,
    source: () => log.source('relaywatch'),
    append: async (partition, ...texts) => {
      for (const text of texts) log.append(partition, Buffer.from(text));
    },
    truncate: async (partition, before) => log.truncate(partition, before),
  };
});
