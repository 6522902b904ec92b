import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PARTITIONS } from '../../src/runtime/setup-command.ts';

test('topics get the partitions that are described', () => {
  const file = path.resolve(import.meta.dirname, '../../infra/kafka/topics.json');
  const [topic] = JSON.parse(readFileSync(file, 'utf8')).topics;
  expect(PARTITIONS).toBe(topic.partitions);
});
