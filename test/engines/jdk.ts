import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { serversCanRead } from './cache.ts';

export interface Jdk {
  home: string;
  /** 17, 21, 25. */
  version: number;
}

/** The oldest installed JDK (with a compiler, not only a runtime) of at least this version; null when there is none. */
export function findJdk(atLeast: number): Jdk | null {
  const found = candidates()
    .map((home) => ({ home, version: versionOf(home) }))
    .filter((jdk) => jdk.version >= atLeast && existsSync(program(jdk, 'javac')) && serversCanRead(jdk.home));
  return found.sort((a, b) => a.version - b.version)[0] ?? null;
}

/** Path of a program of the JDK: `java`, `javac`, `jar`, `keytool`. */
export function program(jdk: Jdk, name: string): string {
  return path.join(jdk.home, 'bin', name);
}

/** Where JDKs are: JAVA_HOME and its like (JAVA_HOME_21_X64), `java` on the PATH, and the usual folders. */
function candidates(): string[] {
  const variables = Object.entries(process.env).flatMap(([name, value]) =>
    name.startsWith('JAVA_HOME') ? [value!] : [],
  );
  const onPath = (process.env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'java'))
    .filter((java) => existsSync(java))
    .map((java) => path.resolve(realpathSync(java), '../..'));
  const folders = [
    '/usr/lib/jvm',
    '/opt/java',
    '/Library/Java/JavaVirtualMachines',
    path.join(os.homedir(), '.sdkman/candidates/java'),
    path.join(os.homedir(), '.jdks'),
  ];
  const installed = folders.flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : [],
  );
  return [...variables, ...onPath, ...installed, ...installed.map((home) => path.join(home, 'Contents/Home'))];
}

/** From the file `release` that every JDK has (`JAVA_VERSION="17.0.15"`); 0 when it says nothing. */
function versionOf(home: string): number {
  const file = path.join(home, 'release');
  return existsSync(file) ? Number(/^JAVA_VERSION="(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) : 0;
}
