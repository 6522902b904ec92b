/** docker-compose.yml as Docker reads it, and what the Compose specification allows in it. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

export const ROOT = path.resolve(import.meta.dirname, '../..');

export interface Service {
  image?: string;
  build?: { context: string; dockerfile: string };
  user?: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  tmpfs?: string[];
  networks?: string[];
  ports?: string[];
  secrets?: (string | { source: string; target: string })[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean } & Record<string, unknown>;
  deploy?: { replicas?: number; resources?: { limits?: Record<string, unknown> } };
  read_only?: boolean;
  restart?: string;
  [key: string]: unknown;
}

export interface ComposeFile {
  services: Record<string, Service>;
  networks: Record<string, unknown>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
  [key: string]: unknown;
}

export const composeText = readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8');

/** Anchors and merge keys resolved; variables as written. */
export function composeFile(text = composeText): ComposeFile {
  return parse(text, { merge: true });
}

/** The same with the values of variables in their place, and `$$` as `$`. */
export function composeFileWith(environment: Record<string, string>): ComposeFile {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') {
      return value.replace(/\$\$|\$\{([A-Z_]+):\?[^}]*\}/g, (_, name?: string) => (name ? environment[name] : '$'));
    }
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
  };
  return fill(composeFile()) as ComposeFile;
}

/** Every text in a value, with its path. */
export function* texts(value: unknown, at = ''): Generator<[path: string, text: string]> {
  if (typeof value === 'string') yield [at, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) yield* texts(inner, at === '' ? key : `${at}.${key}`);
}

/** Keys of the Compose specification (compose-spec/compose-spec, 05-services.md and its neighbours). */
export const ALLOWED = {
  file: ['name', 'services', 'networks', 'volumes', 'secrets', 'configs', 'include', 'models'],
  service: [
    'annotations, attach, blkio_config, build, cap_add, cap_drop, cgroup, cgroup_parent, command, configs',
    'container_name, cpu_count, cpu_percent, cpu_period, cpu_quota, cpu_shares, cpus, cpuset, credential_spec',
    'depends_on, deploy, develop, device_cgroup_rules, devices, dns, dns_opt, dns_search, domainname, entrypoint',
    'env_file, environment, expose, extends, external_links, extra_hosts, gpus, group_add, healthcheck, hostname',
    'image, init, ipc, isolation, label_file, labels, links, logging, mac_address, mem_limit, mem_reservation',
    'mem_swappiness, memswap_limit, models, network_mode, networks, oom_kill_disable, oom_score_adj, pid, pids_limit',
    'platform, ports, post_start, pre_stop, privileged, profiles, provider, pull_policy, read_only, restart, runtime',
    'scale, secrets, security_opt, shm_size, stdin_open, stop_grace_period, stop_signal, storage_opt, sysctls, tmpfs',
    'tty, ulimits, use_api_socket, user, userns_mode, uts, volumes, volumes_from, working_dir',
  ].flatMap((line) => line.split(', ')),
  healthcheck: ['test', 'interval', 'timeout', 'retries', 'start_period', 'start_interval', 'disable'],
  deploy: [
    'endpoint_mode',
    'labels',
    'mode',
    'placement',
    'replicas',
    'resources',
    'restart_policy',
    'rollback_config',
    'update_config',
  ],
  limits: ['cpus', 'memory', 'pids'],
  network: [
    'name',
    'driver',
    'driver_opts',
    'attachable',
    'enable_ipv4',
    'enable_ipv6',
    'external',
    'ipam',
    'internal',
    'labels',
  ],
  conditions: ['service_started', 'service_healthy', 'service_completed_successfully'],
};

/** What breaks the rules of the specification, as sentences that begin with the service. */
export function specificationProblems(file: ComposeFile): string[] {
  const problems: string[] = [];
  const allow = (where: string, value: unknown, allowed: readonly string[]) => {
    for (const key of Object.keys(value ?? {})) {
      if (!allowed.includes(key) && !key.startsWith('x-')) problems.push(`${where}: ${key} is no key of Compose`);
    }
  };
  allow('file', file, ALLOWED.file);
  for (const [name, network] of Object.entries(file.networks)) allow(`networks.${name}`, network, ALLOWED.network);
  for (const [name, service] of Object.entries(file.services)) {
    allow(name, service, ALLOWED.service);
    allow(`${name}.healthcheck`, service.healthcheck, ALLOWED.healthcheck);
    allow(`${name}.deploy`, service.deploy, ALLOWED.deploy);
    allow(`${name}.deploy.resources.limits`, service.deploy?.resources?.limits, ALLOWED.limits);
    problems.push(...referenceProblems(file, service).map((problem) => `${name}: ${problem}`));
    problems.push(...valueProblems(service).map((problem) => `${name}: ${problem}`));
  }
  return problems;
}

function referenceProblems(file: ComposeFile, service: Service): string[] {
  const problems: string[] = [];
  const look = (kind: 'networks' | 'volumes' | 'secrets' | 'services', name: string) => {
    if (!Object.hasOwn(file[kind], name)) problems.push(`there is no ${name} in ${kind}`);
  };
  for (const name of service.networks ?? []) look('networks', name);
  for (const secret of service.secrets ?? []) look('secrets', typeof secret === 'string' ? secret : secret.source);
  for (const volume of service.volumes ?? []) {
    const [source, target, mode = 'rw'] = volume.split(':');
    if (!source.startsWith('./')) look('volumes', source);
    if (!target?.startsWith('/')) problems.push(`the volume ${volume} has no place in the container`);
    if (!['ro', 'rw'].includes(mode)) problems.push(`the volume ${volume} is neither ro nor rw`);
  }
  for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
    look('services', name);
    const other = file.services[name] ?? {};
    if (!ALLOWED.conditions.includes(condition)) problems.push(`${condition} is no condition`);
    if (condition === 'service_healthy' && other.healthcheck?.test === undefined) {
      problems.push(`waits for the health of ${name}, which has no check`);
    }
    if (condition === 'service_completed_successfully' && !/^(no|on-failure(:\d+)?)$/.test(other.restart ?? 'no')) {
      problems.push(`waits for the end of ${name}, which is started again`);
    }
  }
  return problems;
}

function valueProblems(service: Service): string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(service.environment ?? {})) {
    // YAML makes a boolean of true, which Compose refuses.
    if (typeof value !== 'string') problems.push(`the variable ${name} is no text`);
  }
  const { test, retries, disable: _, ...durations } = service.healthcheck ?? {};
  for (const key of ['command', 'entrypoint', 'tmpfs', 'volumes', 'ports'] as const) {
    if (service[key]?.some((part) => typeof part !== 'string')) problems.push(`${key} is no list of texts`);
  }
  if (test?.some((part) => typeof part !== 'string')) problems.push('the check is no list of texts');
  if (test !== undefined && !['CMD', 'CMD-SHELL', 'NONE'].includes(test[0]))
    problems.push(`the check begins with ${test[0]}`);
  if (test?.[0] === 'CMD-SHELL' && test.length !== 2) problems.push('the check for a shell is not one text');
  if (retries !== undefined && !Number.isInteger(retries)) problems.push('retries is no whole number');
  for (const [name, value] of Object.entries({ ...durations, grace: service.stop_grace_period ?? '1s' })) {
    if (!/^(\d+(us|ms|s|m|h))+$/.test(String(value))) problems.push(`${name} is no duration`);
  }
  const { cpus, memory } = service.deploy?.resources?.limits ?? {};
  if (cpus !== undefined && !/^\d+(\.\d+)?$/.test(String(cpus))) problems.push('cpus is no number');
  if (memory !== undefined && !/^\d+[bkmgBKMG]?$/.test(String(memory))) problems.push('memory is no size');
  return problems;
}
