/**
 * The log of a worker: JSON lines with the names of the Elastic Common Schema (elastic.co, "ECS logging
 * field reference"), or plain lines on a terminal. What can be said beside the message is a closed list of
 * numbers, codes and keys: no address, subject or domain has a place in it.
 */

import pino from 'pino';
import { ECS_VERSION } from '../../core/incident-document.ts';
import { RelaywatchError } from '../../core/outcome.ts';
import { terminalSafe } from '../../reports/text.ts';

/** Everything that a line may carry beside its message. */
export interface LogFields {
  /** What happened, as a fixed name: `checkpoint_saved`. */
  action?: string;
  /** The part of the worker that speaks: `kafka`, `detector`. */
  component?: string;
  partition?: number;
  generation?: number;
  offset?: number;
  tenant?: string;
  /** Of a job, as the queue knows it. */
  job?: string;
  count?: number;
  durationMs?: number;
  /** Only what is known to be harmless is taken over: see `errorFields`. */
  error?: unknown;
}

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Where lines go: `process.stderr`, or anything that takes texts. */
export interface LogStream {
  write(text: string): unknown;
  isTTY?: boolean;
}

export interface LogOptions {
  pipeline: string;
  role: string;
  /** Of the program; left out where it is not known. */
  version?: string;
  stream: LogStream;
  /** Wall time in milliseconds. */
  now: () => number;
}

type Level = 'info' | 'warn' | 'error';
type Values = Record<string, string | number>;

/** Longer texts are cut: a message of a server may hold a whole request. */
const TEXT_CHARACTERS = 2_000;
const STACK_FRAMES = 12;

/**
 * What is taken out of every text, should a message ever hold it after all: users of URLs, logins, addresses.
 * Repetitions are bounded, so that no text takes long.
 */
const REDACTIONS: readonly [pattern: RegExp, replacement: string][] = [
  [/(?<=[a-z]:)\/\/[^\s/@]{1,256}@/g, '//'],
  [/\b(bearer|basic|apikey)\s+[\w+/=.~-]{8,4096}/gi, '$1 <secret>'],
  [
    /\b((?:password|passwd|secret|token|api[_-]?key|sig)["']?\s{0,3}[=:]\s{0,3})["']?[^\s"',;&]{1,4096}/gi,
    '$1<secret>',
  ],
  [/[^\s@<>()[\]",;:]{0,128}@[^\s@<>()[\]"',;:]{1,256}/g, '<address>'],
];

export function createLog(options: LogOptions): Log {
  const print = options.stream.isTTY === true ? plainLines(options) : jsonLines(options);
  return {
    info: (message, fields) => print('info', safeText(message), fields ?? {}),
    warn: (message, fields) => print('warn', safeText(message), fields ?? {}),
    error: (message, fields) => print('error', safeText(message), fields ?? {}),
  };
}

/** A text in one line without control characters, addresses and secrets. */
export function safeText(text: string): string {
  // Before the patterns are tried: their time grows with the text.
  const cut = text.length > TEXT_CHARACTERS ? `${text.slice(0, TEXT_CHARACTERS)}…` : text;
  const line = terminalSafe(cut.replaceAll(/\s+/g, ' '));
  return REDACTIONS.reduce((safe, [pattern, replacement]) => safe.replaceAll(pattern, replacement), line);
}

function jsonLines({ pipeline, role, version, stream, now }: LogOptions) {
  const logger = pino(
    {
      base: {
        'ecs.version': ECS_VERSION,
        'service.name': 'relaywatch',
        ...(version === undefined ? {} : { 'service.version': version }),
        'event.dataset': `relaywatch.${role}`,
        'process.pid': process.pid,
        'labels.pipeline': pipeline,
      },
      messageKey: 'message',
      timestamp: () => `,"@timestamp":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ 'log.level': label }) },
    },
    stream,
  );
  return (level: Level, message: string, fields: LogFields) => {
    logger[level]({ ...fieldValues(fields), ...errorFields(fields.error) }, message);
  };
}

function fieldValues(fields: LogFields): Values {
  const values: Values = {};
  const set = (name: string, value: string | number | undefined) => {
    if (value !== undefined) values[name] = typeof value === 'string' ? safeText(value) : value;
  };
  set('event.action', fields.action);
  set('labels.component', fields.component);
  set('labels.partition', fields.partition);
  set('labels.generation', fields.generation);
  set('labels.offset', fields.offset);
  set('labels.tenant', fields.tenant);
  set('labels.job', fields.job);
  set('labels.count', fields.count);
  // ECS counts nanoseconds.
  if (fields.durationMs !== undefined) set('event.duration', Math.round(fields.durationMs * 1e6));
  return values;
}

/**
 * What is said of an error. Messages of our own failures, and of failed calls of the operating system, name
 * files, servers and settings. Messages of anything else may quote the data that it failed on (a parser, a
 * server that refuses a document): of those the name and the places in the code are kept.
 */
export function errorFields(error: unknown): Values {
  if (error === undefined || error === null) return {};
  if (error instanceof RelaywatchError) {
    return {
      'error.code': error.code,
      'error.message': safeText(error.message),
      'labels.hint': safeText(error.hint),
      ...causeFields(error.cause),
    };
  }
  if (!(error instanceof Error)) return { 'error.type': typeof error };
  const code = systemCode(error);
  return {
    'error.type': safeText(error.name),
    ...(code === null ? {} : { 'error.code': code, 'error.message': safeText(error.message) }),
    ...stackFields(error),
  };
}

function causeFields(cause: unknown): Values {
  if (!(cause instanceof Error)) return {};
  const code = systemCode(cause);
  return { 'labels.cause': code ?? safeText(cause.name) };
}

function systemCode(error: Error): string | null {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return typeof code === 'string' && /^E[A-Z0-9_]{1,40}$/.test(code) && typeof syscall === 'string' ? code : null;
}

/** The places in the code; the message above them may have lines that look like one. */
function stackFields({ stack = '', message }: Error): Values {
  const places = stack.slice(Math.max(0, stack.indexOf(message)) + message.length).split('\n');
  const frames = places.filter((line) => /^\s+at .*:\d+:\d+\)?$/.test(line)).slice(0, STACK_FRAMES);
  return frames.length === 0
    ? {}
    : { 'error.stack_trace': frames.map((frame) => terminalSafe(frame.trim())).join('\n') };
}

/** For a person: time of day, level where it is not the usual one, message, and below it what to do. */
function plainLines({ stream, now }: LogOptions) {
  return (level: Level, message: string, fields: LogFields) => {
    const time = new Date(now()).toISOString().slice(11, 19);
    const { 'error.message': reason, 'error.type': type, 'labels.hint': hint } = errorFields(fields.error);
    const places = [
      fields.component === undefined ? [] : [safeText(fields.component)],
      fields.partition === undefined ? [] : [`partition ${fields.partition}`],
      fields.tenant === undefined ? [] : [`tenant ${safeText(fields.tenant)}`],
    ].flat();
    const place = places.length === 0 ? '' : ` (${places.join(', ')})`;
    const why = reason ?? type;
    const lines = [
      `${time} ${level === 'info' ? '' : `${level}: `}${message}${why === undefined ? '' : `: ${why}`}${place}`,
    ];
    if (hint !== undefined) lines.push(`         ${hint}`);
    stream.write(`${lines.join('\n')}\n`);
  };
}
