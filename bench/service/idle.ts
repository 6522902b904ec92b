/**
 * What a consumer costs that has nothing to do, beside one of kafkajs as it comes:
 *
 *     node bench/service/idle.ts [--seconds 20] [--runs 2]
 *
 * Each is a process of its own, a member of a group of one, on a topic of four partitions without entries; brokers
 * wait 250 ms before they say that there is nothing.
 */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { startOwnEngines } from '../../test/engines/engines.ts';
import { median } from '../detection/statistics.ts';

const MEMBER = fileURLToPath(new URL('../../test/adapters/kafka/idle-member.ts', import.meta.url));
const TOPIC = 'idle';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, runs: { type: 'string', default: '2' } },
});
const seconds = Number(values.seconds);
const { engines, close } = await startOwnEngines({ kafka: true });
try {
  const { brokers } = engines.kafka;
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 4 }], waitForLeaders: true });
  await admin.disconnect();
  const results: Record<'ours' | 'plain', { wakeUps: number; cpuMs: number }[]> = { ours: [], plain: [] };
  for (let run = 0; run < Number(values.runs); run++) {
    for (const kind of ['ours', 'plain'] as const) {
      const args = [MEMBER, kind, brokers.join(','), TOPIC, String(seconds * 1000)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      results[kind].push(JSON.parse(stdout));
      process.stderr.write(`${kind}: ${stdout}\n`);
    }
  }
  const of = (kind: 'ours' | 'plain', name: 'wakeUps' | 'cpuMs') =>
    median(results[kind].map((one) => one[name])) / seconds;
  const line = (what: string, kind: 'ours' | 'plain') =>
    `| ${what} | ${of(kind, 'wakeUps').toFixed(1)} | ${of(kind, 'cpuMs').toFixed(2)} | ` +
    `1/${(of('plain', 'wakeUps') / of(kind, 'wakeUps')).toFixed(1)} | 1/${(of('plain', 'cpuMs') / of(kind, 'cpuMs')).toFixed(1)} |\n`;
  process.stdout.write(
    '| idle for a second | wake-ups | CPU ms | wake-ups beside kafkajs | CPU beside kafkajs |\n|---|---|---|---|---|\n' +
      line('relaywatch', 'ours') +
      line('kafkajs 2.2.4', 'plain'),
  );
} finally {
  await close();
}
process.exit(0);
