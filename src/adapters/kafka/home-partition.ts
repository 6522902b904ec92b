/** Where the messages of a key go: the partitioner that writes them, asked without writing. */

import kafkajs from 'kafkajs';

/** Partition of `partitions` in all that the envelopes of a tenant are in; for negative and zero it throws. */
export function homePartition(tenant: string, partitions: number): number {
  const choose = kafkajs.Partitioners.DefaultPartitioner();
  return choose({
    topic: '',
    partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
      partitionErrorCode: 0,
      partitionId,
      leader: 0,
      replicas: [],
      isr: [],
    })),
    message: { key: Buffer.from(tenant), value: null },
  });
}
