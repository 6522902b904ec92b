/** The templates of `infra/elasticsearch`, by the names under which they are installed. */

import alert from '../../../infra/elasticsearch/component-alert.json' with { type: 'json' };
import deadLetter from '../../../infra/elasticsearch/component-dead-letter.json' with { type: 'json' };
import finding from '../../../infra/elasticsearch/component-finding.json' with { type: 'json' };
import incident from '../../../infra/elasticsearch/component-incident.json' with { type: 'json' };
import ledger from '../../../infra/elasticsearch/component-ledger.json' with { type: 'json' };
import common from '../../../infra/elasticsearch/component-mappings.json' with { type: 'json' };
import settings from '../../../infra/elasticsearch/component-settings.json' with { type: 'json' };
import triage from '../../../infra/elasticsearch/component-triage.json' with { type: 'json' };
import alertIndex from '../../../infra/elasticsearch/index-alert.json' with { type: 'json' };
import deadLetterIndex from '../../../infra/elasticsearch/index-dead-letter.json' with { type: 'json' };
import findingIndex from '../../../infra/elasticsearch/index-findings.json' with { type: 'json' };
import incidentIndex from '../../../infra/elasticsearch/index-incidents.json' with { type: 'json' };
import ledgerIndex from '../../../infra/elasticsearch/index-ledger.json' with { type: 'json' };
import type { StoreNames } from './settings.ts';

type Json = Record<string, unknown>;

export interface ComponentTemplate {
  template: { settings?: Json; mappings?: Json; lifecycle?: Json };
}

export interface IndexTemplate {
  index_patterns: string[];
  composed_of: string[];
  template?: Json;
}

/** Names that end in `@custom` are for people: `setup` never writes them, and what they say goes first. */
export const COMPONENT_TEMPLATES: Readonly<Record<string, ComponentTemplate>> = {
  'relaywatch@settings': settings,
  'relaywatch@mappings': common,
  'relaywatch.incident@mappings': incident,
  'relaywatch.triage@mappings': triage,
  'relaywatch.alert@mappings': alert,
  'relaywatch.dead_letter@mappings': deadLetter,
  'relaywatch.ledger@mappings': ledger,
  'relaywatch.finding@mappings': finding,
};

/** By the kind of documents. */
export const INDEX_TEMPLATES: Readonly<Record<keyof StoreNames, { name: string; body: IndexTemplate }>> = {
  alert: { name: 'logs-relaywatch.alert', body: alertIndex },
  dead_letter: { name: 'logs-relaywatch.dead_letter', body: deadLetterIndex },
  incident: { name: 'relaywatch-incidents', body: incidentIndex },
  ledger: { name: 'relaywatch-ledger', body: ledgerIndex },
  finding: { name: 'relaywatch-findings', body: findingIndex },
};

/** The mappings that documents of a kind get from all templates together. */
export function mappingsOf(kind: keyof StoreNames): Json {
  const parts = INDEX_TEMPLATES[kind].body.composed_of.map(
    (name) => COMPONENT_TEMPLATES[name]?.template.mappings ?? {},
  );
  return parts.reduce(merged, {});
}

function merged(left: Json, right: Json): Json {
  const result = { ...left };
  for (const [name, value] of Object.entries(right)) {
    const both = isObject(result[name]) && isObject(value);
    result[name] = both ? merged(result[name] as Json, value as Json) : value;
  }
  return result;
}

/** Whether every value of `ours` is in `theirs`; servers write defaults beside it, and settings as texts. */
export function isContained(ours: unknown, theirs: unknown): boolean {
  if (Array.isArray(ours)) {
    return (
      Array.isArray(theirs) &&
      ours.length === theirs.length &&
      ours.every((value, index) => isContained(value, theirs[index]))
    );
  }
  if (!isObject(ours)) return String(ours) === String(theirs);
  return isObject(theirs) && Object.entries(ours).every(([name, value]) => isContained(value, theirs[name]));
}

/** Fields of a mapping, as paths with dots. */
export function fieldsOf(mappings: Json, above = ''): string[] {
  return Object.entries((mappings.properties ?? {}) as Record<string, Json>).flatMap(([name, field]) => {
    const path = `${above}${name}`;
    return field.properties === undefined ? [path] : fieldsOf(field, `${path}.`);
  });
}

/**
 * Fields of documents of a kind that one of the indices in an answer to `GET INDEX/_mapping` does not have: an earlier
 * version did not know them. None where the answer is a refusal.
 */
export function missingFields(kind: keyof StoreNames, answer: object): string[] {
  const wanted = fieldsOf(mappingsOf(kind));
  const missing = Object.values(answer).flatMap((index: unknown) => {
    if (!isObject(index) || !isObject(index.mappings)) return [];
    const present = new Set(fieldsOf(index.mappings));
    return wanted.filter((field) => !present.has(field));
  });
  return [...new Set(missing)];
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
