/** Pipelines from texts instead of files. */

import path from 'node:path';
import { lintPipeline, loadPipeline, type PipelineSurroundings } from '../../../src/config/pipeline/load.ts';

/** Files by path below the current folder. */
export function surroundings(
  files: Record<string, string | Uint8Array>,
  environment: Record<string, string> = {},
): PipelineSurroundings {
  const byPath = new Map(
    Object.entries(files).map(([name, content]) => [path.resolve(name), Buffer.from(content as string)]),
  );
  return {
    environment,
    nowMs: Date.UTC(2026, 8, 6),
    readFile: async (name) => byPath.get(name) ?? null,
    listFolder: async (folder) => {
      const names = [...byPath.keys()]
        .filter((name) => path.dirname(name) === folder)
        .map((name) => path.basename(name));
      return names.length === 0 ? null : names;
    },
  };
}

const TENANT = `
tenants:
  - key: contoso
    accepted_domains: [contoso.com]`;

export const EMBEDDED = `name: here
role: embedded${TENANT}
inputs: {folder: {path: inbox, tenant: contoso}}
state: {folder: {path: state}}
outputs: {folder: {path: findings}}
archive: {path: archive}
`;

export const DETECT = `name: there
role: detect${TENANT}
log:
  kafka:
    brokers: ["127.0.0.1:9092"]
state:
  redis:
    url: redis://127.0.0.1
outputs:
  elasticsearch:
    nodes: ["http://127.0.0.1:9200"]
`;

export function lintText(text: string, files: Record<string, string> = {}, environment: Record<string, string> = {}) {
  return lintPipeline('p.yaml', surroundings({ ...files, 'p.yaml': text }, environment));
}

export function loadText(text: string, files: Record<string, string> = {}, environment: Record<string, string> = {}) {
  return loadPipeline('p.yaml', surroundings({ ...files, 'p.yaml': text }, environment));
}
