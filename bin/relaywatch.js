#!/usr/bin/env node
/**
 * The command `relaywatch`: of an installed package, of `npx`, of Windows, and behind the shell
 * script of a clone. On Node 24 or newer it runs the command line in this process, on an older one
 * in the Node 24 that is installed beside it.
 *
 * This file itself must run on Node 20, and be quick: nothing but built-in modules here.
 */

import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import path from 'node:path';

if (Number.parseInt(process.versions.node, 10) >= 24) {
  await runHere();
} else {
  const { runOnNode24 } = await import('./node24.js');
  // The same as in the shell script: rows live outside the heap.
  await runOnNode24(['--max-semi-space-size=4', ...process.argv.slice(1)]);
}

async function runHere() {
  useCompileCache();
  quietTypeStripping();
  // A clone runs its sources; the package carries them with the types stripped, because Node does
  // not strip types below node_modules.
  const inClone = existsSync(new URL('../src/main.ts', import.meta.url));
  try {
    await import(inClone ? '../src/main.ts' : '../dist/main.js');
  } catch (error) {
    if (!inClone || error?.code !== 'ERR_MODULE_NOT_FOUND' || !/^Cannot find package /.test(error.message)) throw error;
    const folder = path.resolve(import.meta.dirname, '..');
    process.stderr.write(
      `relaywatch: ${error.message.replace(/ imported from .*/s, '')}: the packages it needs are not installed.\n` +
        `Run "npm ci --ignore-scripts" in ${folder}, then the command again.\n`,
    );
    process.exitCode = 1;
  }
}

/**
 * Keeps compiled code, and the sources without their types, between runs: without it stripping alone
 * takes longer than everything else at start. In a folder of the user, not the shared temporary
 * folder, because what lies there is executed.
 */
function useCompileCache() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const folder = userCacheFolder(process.env);
  if (folder === null) return;
  const cache = path.join(folder, 'relaywatch', 'compiled');
  nodeModule.enableCompileCache(cache);
  // For processes started from here.
  process.env.NODE_COMPILE_CACHE = cache;
}

function userCacheFolder(environment) {
  if (process.platform === 'win32') return environment.LOCALAPPDATA || null;
  if (environment.XDG_CACHE_HOME && path.isAbsolute(environment.XDG_CACHE_HOME)) return environment.XDG_CACHE_HOME;
  if (!environment.HOME || !path.isAbsolute(environment.HOME)) return null;
  return path.join(environment.HOME, process.platform === 'darwin' ? 'Library/Caches' : '.cache');
}

/** Node before 24.12 warns at every start that stripping types is experimental. Other warnings stay. */
function quietTypeStripping() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] === 'ExperimentalWarning' && String(warning).startsWith('Type Stripping')) return;
    emitWarning.call(process, warning, ...rest);
  };
}
