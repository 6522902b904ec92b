/** One Kafka broker that is its own controller, without ZooKeeper. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { fetchFiles, fingerprint, hasMaven, readLock } from './artifacts.ts';
import { giveToServers, installOnce, isInstalled, letServersRead } from './cache.ts';
import type { EngineKind } from './engine-kind.ts';
import { findJdk, type Jdk, program } from './jdk.ts';
import { freePorts } from './ports.ts';

export interface Kafka {
  /** `127.0.0.1:9092` */
  brokers: string[];
}

const JAVA_VERSION = 17;
/** Any 16 bytes in base64url will do; a random one that begins with `-` is taken for an option. */
const CLUSTER_ID = 'cmVsYXl3YXRjaC10ZXN0cw';

export const kafka: EngineKind<Kafka> = {
  given() {
    const brokers = process.env.RELAYWATCH_KAFKA_BROKERS;
    return brokers ? { brokers: brokers.split(',').map((broker) => broker.trim()) } : null;
  },

  whyMissing() {
    if (findJdk(JAVA_VERSION) === null) return `no JDK ${JAVA_VERSION} or newer was found`;
    return isInstalled(installName()) || hasMaven() ? null : 'mvn is not on the PATH';
  },

  install,

  async plan(folder) {
    const jdk = findJdk(JAVA_VERSION)!;
    const classPath = path.join(await install(), '*');
    const [port, controllerPort] = await freePorts(2);
    const settingsFile = path.join(folder, 'server.properties');
    const settings = Object.entries(settingsOf(folder, port, controllerPort));
    writeFileSync(settingsFile, settings.map(([name, value]) => `${name}=${value}\n`).join(''));
    await format(jdk, classPath, settingsFile);
    giveToServers(folder);
    return {
      plan: {
        title: `Kafka ${readLock().kafka.version}`,
        folder,
        command: program(jdk, 'java'),
        args: ['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
          .concat('-Dorg.slf4j.simpleLogger.defaultLogLevel=info')
          .concat('-cp', classPath, 'kafka.Kafka', settingsFile),
        env: {},
        // The port is open long before the broker is registered.
        ready: { line: 'Kafka Server started' },
      },
      address: { brokers: [`127.0.0.1:${port}`] },
    };
  },
};

function installName(): string {
  const locked = readLock().kafka;
  return `kafka-${locked.version}-${fingerprint(JSON.stringify(locked))}`;
}

function install(): Promise<string> {
  const locked = readLock().kafka;
  return installOnce(installName(), async (folder) => {
    process.stderr.write(`Fetching Kafka ${locked.version} (${locked.megabytes} MB, once)\n`);
    await fetchFiles(locked, folder);
    letServersRead(folder);
  });
}

function settingsOf(folder: string, port: number, controllerPort: number): Record<string, string | number | boolean> {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `CLIENTS://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENTS://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'CLIENTS',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': path.join(folder, 'data'),
    // One broker, so one copy of everything.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': false,
    // A killed broker may come back only when its old session has ended: with the usual 9 s that takes 12 s.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 200,
  };
}

/** Makes the folder of the data. */
async function format(jdk: Jdk, classPath: string, settingsFile: string): Promise<void> {
  const args = ['-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settingsFile];
  await promisify(execFile)(program(jdk, 'java'), ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...args]);
}
