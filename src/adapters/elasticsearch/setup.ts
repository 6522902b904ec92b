/** Brings templates and indices into Elasticsearch, as often as anybody likes. */

import type { Client } from '@elastic/elasticsearch';
import { RelaywatchError } from '../../core/outcome.ts';
import type { SetupStep } from '../../core/setup.ts';
import { openClient } from './client.ts';
import { ask, askVersion, type ServerVersion } from './server.ts';
import { ALIASED, type ElasticsearchSettings, firstIndexOf, placeOf, STREAMED, storeNames } from './settings.ts';
import {
  COMPONENT_TEMPLATES,
  fieldsOf,
  INDEX_TEMPLATES,
  type IndexTemplate,
  isContained,
  mappingsOf,
} from './templates.ts';

type Json = Record<string, unknown>;

/**
 * Installs the templates, creates the indices behind the aliases, and adds fields to indices that were
 * created by an earlier version. Retention of data streams that exist is left as it is.
 */
export async function setupElasticsearch(
  settings: ElasticsearchSettings,
  { dryRun }: { dryRun: boolean },
): Promise<SetupStep[]> {
  const client = openClient(settings);
  try {
    const setup = new Setup(client, settings, dryRun);
    return await setup.run();
  } finally {
    await client.close();
  }
}

/** The body of an index template, without what an older server does not know. */
export function indexTemplateFor(body: IndexTemplate, version: ServerVersion): Json {
  const { template, ...others } = body;
  return version.knowsFailureStore && template !== undefined ? { ...others, template } : others;
}

class Setup {
  readonly #client: Client;
  readonly #settings: ElasticsearchSettings;
  readonly #place: string;
  readonly #dryRun: boolean;
  readonly #steps: SetupStep[] = [];

  constructor(client: Client, settings: ElasticsearchSettings, dryRun: boolean) {
    this.#client = client;
    this.#settings = settings;
    this.#place = placeOf(settings);
    this.#dryRun = dryRun;
  }

  async run(): Promise<SetupStep[]> {
    const version = await askVersion(this.#client, this.#place);
    for (const [name, body] of Object.entries(COMPONENT_TEMPLATES)) await this.#component(name, body);
    for (const { name, body } of Object.values(INDEX_TEMPLATES)) {
      await this.#indexTemplate(name, indexTemplateFor(body, version));
    }
    const names = storeNames(this.#settings.namespace);
    for (const kind of ALIASED) await this.#index(names[kind], mappingsOf(kind));
    for (const kind of STREAMED) await this.#fields(`data stream ${names[kind]}`, names[kind], mappingsOf(kind));
    return this.#steps;
  }

  async #component(name: string, body: object): Promise<void> {
    const found = await this.#ask(() => this.#client.cluster.getComponentTemplate({ name }, { ignore: [404] }));
    const stored = found.component_templates?.[0]?.component_template;
    await this.#step(`component template ${name}`, stored, isContained(body, stored), () =>
      this.#client.cluster.putComponentTemplate({ name, ...body } as never),
    );
  }

  async #indexTemplate(name: string, body: Json): Promise<void> {
    const found = await this.#ask(() => this.#client.indices.getIndexTemplate({ name }, { ignore: [404] }));
    const stored = found.index_templates?.[0]?.index_template;
    await this.#step(`index template ${name}`, stored, isContained(body, stored), () =>
      this.#client.indices.putIndexTemplate({ name, ...body } as never),
    );
  }

  async #index(alias: string, mappings: Json): Promise<void> {
    const what = `index ${firstIndexOf(alias)} with alias ${alias}`;
    if (await this.#ask(() => this.#client.indices.existsAlias({ name: alias }))) {
      return this.#fields(what, alias, mappings);
    }
    if (await this.#ask(() => this.#client.indices.exists({ index: alias }))) {
      throw new RelaywatchError({
        code: 'elasticsearch_name_taken',
        message: `${this.#place} has an index ${alias}, where an alias of this name belongs`,
        hint: `Move its documents into ${firstIndexOf(alias)} (_reindex), delete it, and run setup again.`,
      });
    }
    const aliases = { [alias]: { is_write_index: true } };
    await this.#step(what, undefined, false, async () => {
      await this.#client.indices.create({ index: firstIndexOf(alias), aliases }, { ignore: [400] });
      // Another setup at the same time may have been faster.
      if (await this.#client.indices.existsAlias({ name: alias })) return;
      throw new RelaywatchError({
        code: 'elasticsearch_refused',
        message: `${this.#place} did not create ${firstIndexOf(alias)}: a name among its own is taken or not allowed`,
        hint: `Look at "GET ${firstIndexOf(alias)}": an index without the alias ${alias} is in the way.`,
      });
    });
  }

  /** Adds the fields that an index lacks. Types of fields cannot change in an index. */
  async #fields(what: string, index: string, mappings: Json): Promise<void> {
    const found = await this.#ask(() => this.#client.indices.getMapping({ index, ignore_unavailable: true }));
    const indices = Object.values(found);
    // A data stream comes into being with its first document.
    if (indices.length === 0) return;
    const wanted = fieldsOf(mappings);
    const lacks = indices.some((one) => {
      const present = new Set(fieldsOf(one.mappings as Json));
      return wanted.some((field) => !present.has(field));
    });
    const { properties } = mappings;
    await this.#step(what, found, !lacks, () => this.#client.indices.putMapping({ index, properties } as never));
  }

  async #step(what: string, stored: unknown, isSame: boolean, change: () => Promise<unknown>): Promise<void> {
    const isNew = stored === undefined;
    if (!isSame && !this.#dryRun) await this.#ask(change);
    const changed = this.#dryRun ? (isNew ? 'would create' : 'would update') : isNew ? 'created' : 'updated';
    this.#steps.push({ what, state: isSame ? 'unchanged' : changed });
  }

  #ask<Result>(request: () => Promise<Result>): Promise<Result> {
    return ask(request, this.#place);
  }
}
