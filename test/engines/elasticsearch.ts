/**
 * Elasticsearch, of one node: the distribution that Elastic tests its own clients with. It has few
 * modules; `support/RelaywatchSupport.java` says what is added to it, and what is only a stand-in.
 */

import { execFile, execFileSync } from 'node:child_process';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ClientOptions } from '@elastic/elasticsearch';
import { fetchFiles, fingerprint, hasMaven, type LockedEngine, readLock } from './artifacts.ts';
import { giveToServers, installOnce, isInstalled, letServersRead } from './cache.ts';
import { certificates, KEYSTORE_PASSWORD } from './certificates.ts';
import type { EngineKind } from './engine-kind.ts';
import { requestJson, type WebAddress } from './http.ts';
import { findJdk, type Jdk, program } from './jdk.ts';
import { freePorts } from './ports.ts';

export interface ElasticsearchOptions {
  /** https with a certificate of our own authority, and users: `admin` may do all, `nobody` nothing. */
  security?: boolean;
  /** Lines of `elasticsearch.yml`. */
  settings?: Readonly<Record<string, string | number | boolean>>;
}

/** Where it is, and as whom. With security: as the user who may do all. */
export interface Elasticsearch extends WebAddress {
  /** The user who may do nothing, with security. */
  powerless?: { username: string; password: string };
}

/** Settings of a server that refuses with 429 when a few bulk requests come at once. */
export const TINY_WRITE_QUEUE = { 'node.processors': 1, 'thread_pool.write.queue_size': 1 } as const;

const JAVA_VERSION = 21;
const SUPPORT_FOLDER = path.join(import.meta.dirname, 'support');

export const elasticsearch: EngineKind<Elasticsearch, ElasticsearchOptions> = {
  given() {
    const { RELAYWATCH_ELASTICSEARCH_URL: url, RELAYWATCH_ELASTICSEARCH_CA: ca } = process.env;
    return url ? { ...withoutUser(url), ...(ca ? { ca: readFileSync(ca, 'utf8') } : {}) } : null;
  },

  whyMissing() {
    if (findJdk(JAVA_VERSION) === null) return `no JDK ${JAVA_VERSION} or newer was found`;
    return isInstalled(installName()) || hasMaven() ? null : 'mvn is not on the PATH';
  },

  install,

  async plan(folder, { security = false, settings = {} }) {
    const jdk = findJdk(JAVA_VERSION)!;
    const home = await install();
    const [port, transportPort] = await freePorts(2);
    const config = path.join(folder, 'config');
    cpSync(path.join(home, 'config'), config, { recursive: true });
    for (const name of ['data', 'logs', 'temporary']) mkdirSync(path.join(folder, name));
    const access = security ? await secure(jdk, config) : {};
    const address: Elasticsearch = { url: `${security ? 'https' : 'http'}://127.0.0.1:${port}`, ...access };
    const lines = Object.entries({
      ...settingsOf(folder, port, transportPort),
      ...securitySettings(security),
      ...settings,
    });
    writeFileSync(path.join(config, 'elasticsearch.yml'), lines.map(([name, value]) => `${name}: ${value}\n`).join(''));
    writeFileSync(path.join(config, 'jvm.options'), jvmOptions(path.join(home, 'config/jvm.options')));
    giveToServers(folder);
    return {
      plan: {
        title: `Elasticsearch ${readLock().elasticsearch.version}`,
        folder,
        command: path.join(home, 'bin/elasticsearch'),
        args: ['-d', '-p', path.join(folder, 'pid')],
        env: {
          ES_JAVA_HOME: jdk.home,
          ES_PATH_CONF: config,
          // Named in the server's command line, by which it is known.
          ES_TMPDIR: path.join(folder, 'temporary'),
          CLI_JAVA_OPTS: '-XX:TieredStopAtLevel=1',
        },
        ready: { launcherThen: address, path: '/_cluster/health?wait_for_status=yellow&timeout=50s' },
      },
      address,
    };
  },
};

/** What the client of Elasticsearch is made with, to speak to this server. */
export function clientOptions({ url, username, password, ca }: Elasticsearch): ClientOptions {
  return {
    node: url,
    auth: username === undefined ? undefined : { username, password: password! },
    tls: ca === undefined ? undefined : { ca },
  };
}

/**
 * Makes writing to an index fail, or work again. `read_only_allow_delete` is what a full disk brings:
 * each document is answered with 429; the others are answered with 403.
 */
export async function setIndexBlock(
  server: Elasticsearch,
  index: string,
  block: 'read_only_allow_delete' | 'read_only' | 'write',
  blocked: boolean,
): Promise<void> {
  const page = `/${encodeURIComponent(index)}/_settings`;
  const { status, body } = await requestJson(server, 'PUT', page, { [`index.blocks.${block}`]: blocked ? true : null });
  if (status !== 200) throw new Error(`Elasticsearch answered ${status} to PUT ${page}: ${JSON.stringify(body)}`);
}

function withoutUser(text: string): Elasticsearch {
  const url = new URL(text);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (username === '') return { url: url.href };
  return { url: url.href, username: decodeURIComponent(username), password: decodeURIComponent(password) };
}

function settingsOf(folder: string, port: number, transportPort: number) {
  return {
    'cluster.name': 'relaywatch-tests',
    'node.name': 'node-1',
    'discovery.type': 'single-node',
    'http.host': '127.0.0.1',
    'http.port': port,
    'transport.host': '127.0.0.1',
    'transport.port': transportPort,
    'path.data': path.join(folder, 'data'),
    'path.logs': path.join(folder, 'logs'),
    // A machine whose disk is nearly full can run tests too.
    'cluster.routing.allocation.disk.threshold_enabled': false,
  };
}

function securitySettings(security: boolean) {
  if (!security) return { 'xpack.security.enabled': false };
  return {
    'xpack.security.enabled': true,
    'xpack.security.autoconfiguration.enabled': false,
    'xpack.security.transport.ssl.enabled': false,
    'xpack.security.http.ssl.enabled': true,
    'xpack.security.http.ssl.keystore.path': 'http.p12',
    'xpack.security.http.ssl.keystore.password': KEYSTORE_PASSWORD,
  };
}

/** Their own, but for the collector (a second one is an error), logs of it, and memory taken at once. */
function jvmOptions(file: string): string {
  const theirs = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => !/^-XX:\+UseG1GC|^-Xlog:gc/.test(line));
  const ours = ['-Xms512m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-AlwaysPreTouch'];
  return [...theirs, ...ours, ''].join('\n');
}

/** Users in files, and a certificate. */
async function secure(jdk: Jdk, config: string): Promise<Omit<Elasticsearch, 'url'>> {
  const { ca, server } = await certificates(jdk);
  copyFileSync(server.keystore, path.join(config, 'http.p12'));
  writeFileSync(path.join(config, 'ca.pem'), ca);
  const [password, powerless] = [randomBytes(12).toString('hex'), randomBytes(12).toString('hex')];
  writeFileSync(path.join(config, 'users'), `admin:${hashOf(password)}\nnobody:${hashOf(powerless)}\n`);
  writeFileSync(path.join(config, 'users_roles'), 'superuser:admin\n');
  return {
    username: 'admin',
    password,
    powerless: { username: 'nobody', password: powerless },
    ca,
  };
}

/** As Elasticsearch writes passwords into its file of users, in the one of its ways that Node has too. */
function hashOf(password: string): string {
  const salt = randomBytes(32);
  const hash = pbkdf2Sync(password, salt, 1000, 32, 'sha512');
  return `{PBKDF2}1000$${salt.toString('base64')}$${hash.toString('base64')}`;
}

function sources(): string[] {
  return readdirSync(SUPPORT_FOLDER)
    .filter((name) => name.endsWith('.java'))
    .sort()
    .map((name) => path.join(SUPPORT_FOLDER, name));
}

function installName(): string {
  const locked = readLock().elasticsearch;
  const texts = sources().map((file) => readFileSync(file, 'utf8'));
  return `elasticsearch-${locked.version}-${fingerprint(JSON.stringify(locked), ...texts)}`;
}

function install(): Promise<string> {
  const locked = readLock().elasticsearch;
  return installOnce(installName(), async (folder) => {
    process.stderr.write(`Fetching Elasticsearch ${locked.version} (${locked.megabytes} MB, once)\n`);
    const jdk = findJdk(JAVA_VERSION)!;
    const [archive] = await fetchFiles(locked, folder);
    execFileSync(program(jdk, 'jar'), ['xf', archive], { cwd: folder });
    rmSync(archive);
    const unpacked = path.join(folder, `elasticsearch-${locked.version}`);
    for (const name of readdirSync(unpacked)) renameSync(path.join(unpacked, name), path.join(folder, name));
    for (const name of readdirSync(path.join(folder, 'bin'))) chmodSync(path.join(folder, 'bin', name), 0o755);
    await addSupportModule(jdk, folder, locked);
    letServersRead(folder);
  });
}

/** Compiles our sources against this very server, and adds them to its modules. */
async function addSupportModule(jdk: Jdk, home: string, { version }: LockedEngine): Promise<void> {
  const module = path.join(home, 'modules/relaywatch-support');
  const classes = path.join(home, 'support-classes');
  const options = ['-proc:none', '-nowarn', '--release', String(JAVA_VERSION), '-cp', path.join(home, 'lib/*')];
  await promisify(execFile)(program(jdk, 'javac'), [...options, '-d', classes, ...sources()]);
  mkdirSync(module);
  execFileSync(program(jdk, 'jar'), ['cf', path.join(module, 'relaywatch-support.jar'), '-C', classes, '.']);
  rmSync(classes, { recursive: true });
  const descriptor = {
    name: 'relaywatch-support',
    description: 'What the tests of relaywatch need beyond this distribution',
    version,
    classname: 'relaywatch.support.RelaywatchSupport',
    'java.version': JAVA_VERSION,
    'elasticsearch.version': version,
  };
  const lines = Object.entries(descriptor).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(path.join(module, 'plugin-descriptor.properties'), lines.join(''));
}
