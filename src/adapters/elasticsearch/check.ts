/** What `doctor` looks at in Elasticsearch. */

import { type Client, errors } from '@elastic/elasticsearch';
import { RelaywatchError } from '../../core/outcome.ts';
import type { Check } from '../../core/setup.ts';
import { ALIAS_PRIVILEGES, STREAM_PRIVILEGES } from './answers.ts';
import { openClient } from './client.ts';
import { ask, askVersion, type ServerVersion } from './server.ts';
import { ALIASED, type ElasticsearchSettings, placeOf, STREAMED, storeNames } from './settings.ts';
import { indexTemplateFor } from './setup.ts';
import { COMPONENT_TEMPLATES, INDEX_TEMPLATES, isContained, missingFields } from './templates.ts';

const RUN_SETUP = 'Run "relaywatch setup".';

/** Never rejects for what it finds, only for settings that say nothing. */
export async function checkElasticsearch(settings: ElasticsearchSettings): Promise<Check[]> {
  const client = openClient(settings);
  try {
    const doctor = new Doctor(client, settings);
    return await doctor.run();
  } finally {
    await client.close();
  }
}

class Doctor {
  readonly #client: Client;
  readonly #settings: ElasticsearchSettings;
  readonly #place: string;
  readonly #checks: Check[] = [];

  constructor(client: Client, settings: ElasticsearchSettings) {
    this.#client = client;
    this.#settings = settings;
    this.#place = placeOf(settings);
  }

  async run(): Promise<Check[]> {
    let version: ServerVersion | undefined;
    const reached = await this.#check('server', async () => {
      version = await askVersion(this.#client, this.#place);
      return `${this.#place}, version ${version.number}`;
    });
    if (!reached || version === undefined) return this.#checks;
    const { knowsFailureStore } = version;
    const missing = await this.#missingPrivileges();
    await this.#check('rights', async () => {
      if (missing === null) return 'no users: security is off';
      if (missing.length === 0) return 'all that is needed';
      throw new RelaywatchError({
        code: 'elasticsearch_forbidden',
        message: `missing: ${missing.join('; ')}`,
        hint: 'Grant them to the API key or user of the workers.',
      });
    });
    await this.#check('templates', () => this.#templates({ number: version!.number, knowsFailureStore }));
    await this.#check('indices', () => this.#indices());
    await this.#check('writing', () => this.#blocks());
    return this.#checks;
  }

  async #check(subject: string, look: () => Promise<string>): Promise<boolean> {
    const what = `Elasticsearch: ${subject}`;
    try {
      this.#checks.push({ what, ok: true, detail: await ask(look, this.#place), hint: null });
      return true;
    } catch (error) {
      if (!(error instanceof RelaywatchError)) throw error;
      this.#checks.push({ what, ok: false, detail: error.message, hint: error.hint });
      return false;
    }
  }

  /** Null where the server has no users. */
  async #missingPrivileges(): Promise<string[] | null> {
    const index = [
      { names: ['logs-relaywatch.alert-*', 'logs-relaywatch.dead_letter-*'], privileges: STREAM_PRIVILEGES },
      { names: ALIASED.map((kind) => `${storeNames(this.#settings.namespace)[kind]}*`), privileges: ALIAS_PRIVILEGES },
    ];
    try {
      const answer = await this.#client.security.hasPrivileges({ index });
      return Object.entries(answer.index).flatMap(([name, granted]) => {
        const lacking = Object.keys(granted).filter((privilege) => !granted[privilege]);
        return lacking.length === 0 ? [] : [`${lacking.sort().join(', ')} on ${name}`];
      });
    } catch (error) {
      // Without security there is no such page.
      if (error instanceof errors.ResponseError && error.statusCode !== 401) return null;
      throw error;
    }
  }

  async #templates(version: ServerVersion): Promise<string> {
    const wrong: string[] = [];
    try {
      for (const [name, body] of Object.entries(COMPONENT_TEMPLATES)) {
        const found = await this.#client.cluster.getComponentTemplate({ name }, { ignore: [404] });
        if (!isContained(body, found.component_templates?.[0]?.component_template)) wrong.push(name);
      }
      for (const { name, body } of Object.values(INDEX_TEMPLATES)) {
        const found = await this.#client.indices.getIndexTemplate({ name }, { ignore: [404] });
        const stored = found.index_templates?.[0]?.index_template;
        if (!isContained(indexTemplateFor(body, version), stored)) wrong.push(name);
      }
    } catch (error) {
      // Who only writes need not read templates.
      if (error instanceof errors.ResponseError && error.statusCode === 403)
        return 'not looked at: no right to read them';
      throw error;
    }
    if (wrong.length === 0) return 'all there';
    throw new RelaywatchError({
      code: 'elasticsearch_not_set_up',
      message: `missing, or of another version: ${wrong.join(', ')}`,
      hint: RUN_SETUP,
    });
  }

  async #indices(): Promise<string> {
    const names = storeNames(this.#settings.namespace);
    const missing: string[] = [];
    for (const kind of ALIASED) {
      if (!(await this.#client.indices.existsAlias({ name: names[kind] }))) missing.push(names[kind]);
    }
    const lacking = new Set<string>();
    for (const kind of [...ALIASED, ...STREAMED]) {
      const request = { index: names[kind], ignore_unavailable: true };
      const found = await this.#client.indices.getMapping(request, { ignore: [403, 404] });
      for (const field of missingFields(kind, found)) lacking.add(field);
    }
    if (missing.length === 0 && lacking.size === 0) return 'all there';
    if (missing.length === 0) {
      throw new RelaywatchError({
        code: 'elasticsearch_not_set_up',
        message: `of an earlier version, without ${[...lacking].slice(0, 10).join(', ')}`,
        hint: RUN_SETUP,
      });
    }
    throw new RelaywatchError({
      code: 'elasticsearch_not_set_up',
      message: `there is no alias ${missing.join(', ')}`,
      hint: RUN_SETUP,
    });
  }

  async #blocks(): Promise<string> {
    const names = storeNames(this.#settings.namespace);
    const index = [...ALIASED, ...STREAMED].map((kind) => names[kind]);
    const found = await this.#client.indices.getSettings({ index, ignore_unavailable: true, flat_settings: true });
    const blocked = Object.entries(found).flatMap(([name, { settings }]) => {
      const blocks = Object.entries(settings as Record<string, unknown>).filter(
        ([setting, value]) => setting.startsWith('index.blocks.') && String(value) === 'true',
      );
      return blocks.map(([setting]) => `${name} (${setting})`);
    });
    if (blocked.length === 0) return 'allowed';
    throw new RelaywatchError({
      code: 'elasticsearch_read_only',
      message: `blocked for ${blocked.join(', ')}`,
      hint: 'Make room on the disks of the cluster, then set the block to null.',
    });
  }
}
