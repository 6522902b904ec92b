/**
 * An authority of our own, and certificates that it signed: of servers on this machine, and of a client. Made with
 * keytool, which every JDK has, and the servers need one anyway.
 */

import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { installOnce } from './cache.ts';
import { type Jdk, program } from './jdk.ts';

export interface Certificates {
  /** Certificate of the authority, PEM. */
  ca: string;
  /** For `localhost` and 127.0.0.1. Key and certificates, PEM; the same as PKCS #12 in a file. */
  server: KeyPair & { keystore: string };
  client: KeyPair;
}

/** A private key, and its certificate with that of the authority, PEM. */
export interface KeyPair {
  key: string;
  cert: string;
}

export const KEYSTORE_PASSWORD = 'relaywatch-tests';

const KEY_TO_PEM = path.join(import.meta.dirname, 'KeyToPem.java');
const DAYS = '3650';
const KEY = ['-genkeypair', '-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', DAYS];
const AUTHORITY = ['-alias', 'ca', '-keystore', 'ca.p12'];

/** Takes seconds: they are made once for this machine. */
export async function certificates(jdk: Jdk): Promise<Certificates> {
  const folder = await installOnce('certificates-2', async (folder) => {
    chmodSync(folder, 0o700);
    const keytool = keytoolIn(folder, jdk);
    const isAuthority = ['-ext', 'bc:c=ca:true', '-ext', 'ku:c=keyCertSign'];
    await keytool(...KEY, ...AUTHORITY, '-dname', 'CN=relaywatch tests', ...isAuthority);
    await keytool('-exportcert', '-rfc', ...AUTHORITY, '-file', 'ca.pem');
    await makeKeyPair(folder, jdk, 'server', ['-ext', 'san=dns:localhost,ip:127.0.0.1']);
    await makeKeyPair(folder, jdk, 'client', []);
  });
  const read = (name: string) => readFileSync(path.join(folder, name), 'utf8');
  const pair = (name: string) => ({ key: read(`${name}.key`), cert: read(`${name}.pem`) });
  return {
    ca: read('ca.pem'),
    server: { ...pair('server'), keystore: path.join(folder, 'server.p12') },
    client: pair('client'),
  };
}

/** NAME.p12 with key and certificates, NAME.key, NAME.pem. */
async function makeKeyPair(folder: string, jdk: Jdk, name: string, extensions: string[]): Promise<void> {
  const keytool = keytoolIn(folder, jdk);
  const own = ['-alias', name, '-keystore', `${name}.p12`];
  const commonName = name === 'server' ? 'localhost' : `relaywatch ${name}`;
  await keytool(...KEY, ...own, '-dname', `CN=${commonName}`);
  await keytool('-certreq', ...own, '-file', `${name}.csr`);
  const signed = ['-infile', `${name}.csr`, '-outfile', `${name}.crt`, '-rfc', '-validity', DAYS];
  await keytool('-gencert', ...AUTHORITY, ...signed, ...extensions);
  const chain = [`${name}.crt`, 'ca.pem'].map((file) => readFileSync(path.join(folder, file), 'utf8')).join('');
  writeFileSync(path.join(folder, `${name}.pem`), chain);
  await keytool('-importcert', '-noprompt', '-trustcacerts', ...own, '-file', `${name}.pem`);
  const args = [KEY_TO_PEM, `${name}.p12`, KEYSTORE_PASSWORD, name];
  const { stdout } = await promisify(execFile)(program(jdk, 'java'), args, { cwd: folder });
  writeFileSync(path.join(folder, `${name}.key`), stdout);
}

function keytoolIn(folder: string, jdk: Jdk): (...args: string[]) => Promise<void> {
  return async (...args) => {
    const common = ['-storetype', 'PKCS12', '-storepass', KEYSTORE_PASSWORD];
    await promisify(execFile)(program(jdk, 'keytool'), [...args, ...common], { cwd: folder });
  };
}
