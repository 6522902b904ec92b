/** One Kafka broker that is its own controller, without ZooKeeper. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { fetchFiles, fingerprint, hasMaven, readLock } from './artifacts.ts';
import { giveToServers, installOnce, isInstalled, letServersRead } from './cache.ts';
import { certificates, KEYSTORE_PASSWORD, type KeyPair } from './certificates.ts';
import type { EngineKind } from './engine-kind.ts';
import { findJdk, type Jdk, program } from './jdk.ts';
import { freePorts } from './ports.ts';

export interface KafkaOptions {
  /** TLS with a certificate of our own authority, and clients that sign in: with SASL, or with a certificate. */
  security?: boolean;
}

export interface Kafka {
  /** `127.0.0.1:9092`; with security: where clients sign in with SASL. */
  brokers: string[];
  secured?: KafkaSecurity;
}

export interface KafkaSecurity {
  /** Certificate, PEM, that the broker's is signed with. */
  ca: string;
  /** Users by mechanism. OAUTHBEARER takes any token that is not signed. */
  plain: { username: string; password: string };
  scram: { username: string; password: string };
  /** Where clients sign in with a certificate, and the one to do so. */
  certificate: KeyPair & { brokers: string[] };
}

const JAVA_VERSION = 17;
/** Any 16 bytes in base64url will do; a random one that begins with `-` is taken for an option. */
const CLUSTER_ID = 'cmVsYXl3YXRjaC10ZXN0cw';

export const kafka: EngineKind<Kafka, KafkaOptions> = {
  given() {
    const brokers = process.env.RELAYWATCH_KAFKA_BROKERS;
    return brokers ? { brokers: brokers.split(',').map((broker) => broker.trim()) } : null;
  },

  whyMissing() {
    if (findJdk(JAVA_VERSION) === null) return `no JDK ${JAVA_VERSION} or newer was found`;
    return isInstalled(installName()) || hasMaven() ? null : 'mvn is not on the PATH';
  },

  install,

  async plan(folder, { security = false }) {
    const jdk = findJdk(JAVA_VERSION)!;
    const classPath = path.join(await install(), '*');
    const [port, controllerPort, certificatePort] = await freePorts(3);
    const settingsFile = path.join(folder, 'server.properties');
    const secured = security ? await secure(jdk, folder, certificatePort) : undefined;
    const settings = Object.entries({
      ...settingsOf(folder, port, controllerPort),
      ...(secured === undefined ? {} : securitySettings(secured, folder, port, controllerPort)),
    });
    writeFileSync(settingsFile, settings.map(([name, value]) => `${name}=${value}\n`).join(''));
    await format(jdk, classPath, settingsFile, secured === undefined ? [] : scramUser(secured));
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
      address: { brokers: [`127.0.0.1:${port}`], secured },
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

/** Users, and certificates. */
async function secure(jdk: Jdk, folder: string, certificatePort: number): Promise<KafkaSecurity> {
  const { ca, server, client } = await certificates(jdk);
  copyFileSync(server.keystore, path.join(folder, 'server.p12'));
  writeFileSync(path.join(folder, 'ca.pem'), ca);
  const user = (username: string) => ({ username, password: randomBytes(12).toString('hex') });
  const certificate = { ...client, brokers: [`127.0.0.1:${certificatePort}`] };
  return { ca, plain: user('planet'), scram: user('scarlet'), certificate };
}

/** Settings of listeners that ask who is there (Kafka documentation, "Security"). */
function securitySettings(secured: KafkaSecurity, folder: string, port: number, controllerPort: number) {
  const { plain, certificate } = secured;
  const address = { CLIENTS: `127.0.0.1:${port}`, CERTIFICATES: certificate.brokers[0] };
  const clients = Object.entries(address).map(([name, place]) => `${name}://${place}`);
  const security = 'org.apache.kafka.common.security';
  const login = (mechanism: string, module: string, options = '') => ({
    [`listener.name.clients.${mechanism}.sasl.jaas.config`]: `${security}.${module} required${options};`,
  });
  return {
    listeners: [...clients, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
    'advertised.listeners': clients.join(','),
    'listener.security.protocol.map': 'CLIENTS:SASL_SSL,CERTIFICATES:SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'CERTIFICATES',
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': path.join(folder, 'server.p12'),
    'ssl.keystore.password': KEYSTORE_PASSWORD,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': path.join(folder, 'ca.pem'),
    'listener.name.certificates.ssl.client.auth': 'required',
    'listener.name.clients.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512,OAUTHBEARER',
    ...login('plain', 'plain.PlainLoginModule', ` user_${plain.username}="${plain.password}"`),
    ...login('scram-sha-512', 'scram.ScramLoginModule'),
    // Who signed in with a token has to sign in again before it expires.
    'listener.name.clients.oauthbearer.connections.max.reauth.ms': 3_600_000,
    ...login('oauthbearer', 'oauthbearer.OAuthBearerLoginModule', ' unsecuredLoginStringClaim_sub="broker"'),
  };
}

function scramUser({ scram }: KafkaSecurity): string[] {
  return ['--add-scram', `SCRAM-SHA-512=[name=${scram.username},password=${scram.password}]`];
}

/** Makes the folder of the data. */
async function format(jdk: Jdk, classPath: string, settingsFile: string, users: string[]): Promise<void> {
  const args = ['-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settingsFile, ...users];
  await promisify(execFile)(program(jdk, 'java'), ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', ...args]);
}
