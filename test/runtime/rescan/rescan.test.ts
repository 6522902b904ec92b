import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { readAcceptedDomains } from '../../../src/config/accepted-domains.ts';
import { NO_FEEDBACK } from '../../../src/core/feedback.ts';
import { findingWrite, gapFinding, lateRowsFinding } from '../../../src/runtime/detect/findings.ts';
import { type RescanOptions, type RescanProfile, rescan } from '../../../src/runtime/rescan/rescan.ts';

const EXPORTS = 'examples/contoso/exports';
const NOW_MS = Date.UTC(2026, 6, 1);
const files = readdirSync(EXPORTS)
  .sort()
  .map((name) => path.join(EXPORTS, name));
const { domains: acceptedDomains } = await readAcceptedDomains('examples/contoso/accepted-domains.csv', async (file) =>
  readFileSync(file),
);
const profile: RescanProfile = {
  settings: { key: 'contoso', acceptedDomains, licenses: null, timeZone: 'UTC' },
  organizations: [],
  dateOrder: null,
  evidenceRows: 10,
};

let folder: string;
let outputs: MemoryOutputStore;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'relaywatch-test-rescan-'));
  outputs = new MemoryOutputStore();
});

afterEach(() => rm(folder, { recursive: true, force: true }));

function run(paths = files, more: Partial<RescanOptions> = {}) {
  const exports = async () => paths.map((file) => ({ path: file, dateOrder: null }));
  return rescan({ profile, exports, outputs, fromMs: 0, toMs: null, dryRun: false, nowMs: NOW_MS, ...more });
}

interface Stored {
  event: { id: string };
  organization?: { name: string };
  relaywatch: {
    incident: {
      state: string;
      recipients: number;
      contributors: { domains: { key: string }[] };
      detected_at: string;
      evidence: { message_trace_id: string; recipient: string }[];
    };
    revision: number;
    triage?: unknown;
    generation: number;
  };
}

function stored() {
  return [...outputs.documents.of('incident').values()] as unknown as Stored[];
}

function store(...documents: Stored[]): void {
  outputs.documents.of('incident').clear();
  for (const document of documents) outputs.documents.of('incident').set(document.event.id, document as never);
}

function alerts(kind: string): number[] {
  return [...outputs.documents.of('alert').values()].flatMap(({ relaywatch }) => {
    const { alert } = relaywatch as { alert: { kind: string; number: number } };
    return alert.kind === kind ? [alert.number] : [];
  });
}

/** Settings under which the relayed mail is known and wanted. */
function wanted(): RescanProfile {
  const [{ relaywatch }] = stored();
  const allow = relaywatch.incident.contributors.domains.map(({ key }) => ({
    domain: key,
    mailbox: null,
    connector: null,
    address: null,
    owner: 'shop',
    reason: 'our partners',
    expiresMs: null,
  }));
  return { ...profile, settings: { ...profile.settings, feedback: { ...NO_FEEDBACK, allow } } };
}

describe('a rescan', () => {
  it('writes what the archive holds, once', async () => {
    const dry = await run(files, { dryRun: true });
    expect(dry.changes.map(({ kind }) => kind)).toEqual(['new']);
    expect(stored()).toEqual([]);
    expect((await run()).changes).toEqual(dry.changes);
    expect(alerts('opened')).toEqual([1]);
    const again = await run();
    expect(again.changes).toEqual([]);
    expect(again).toMatchObject({ unchanged: 1, unseen: 0 });
    expect(stored()[0].relaywatch.revision).toBe(1);
  });

  it('adopts the id of what it finds again, keeps the analyst and the generation, and retracts what is gone', async () => {
    await run();
    const [incident] = stored();
    // As a detector may have published it, under an id that later rows would make another, and looked at since.
    const published = structuredClone(incident);
    published.event.id = 'rw-published';
    published.relaywatch.generation = 7;
    published.relaywatch.triage = { verdict: 'abuse' };
    store(published);
    const found = await run();
    expect(found.changes).toEqual([]);
    expect(found.unchanged).toBe(1);

    const gone = await run(files, { profile: wanted() });
    expect(gone.changes).toMatchObject([{ kind: 'gone', id: 'rw-published', mergedInto: null }]);
    const [retracted] = stored();
    expect(retracted.relaywatch).toMatchObject({ triage: { verdict: 'abuse' }, generation: 7 });
    expect(retracted.relaywatch.incident.state).toBe('retracted');
    expect(alerts('retracted')).toEqual([1]);
  });

  it('looks at incidents of the time it is asked for alone', async () => {
    await run();
    const before = await run(files.slice(0, -1), { toMs: Date.UTC(2026, 4, 20) });
    expect(before).toMatchObject({ changes: [], unchanged: 0, unseen: 0 });
  });

  it('brings back what was retracted, and tells of each turn', async () => {
    await run();
    const [{ event, relaywatch }] = stored();
    relaywatch.generation = 7;
    const other = wanted();
    await run(files, { profile: other });
    expect((await run()).changes).toMatchObject([{ kind: 'new', id: event.id }]);
    expect(stored()[0].relaywatch).toMatchObject({ revision: 3, generation: 7, incident: { state: 'open' } });
    await run(files, { profile: other });
    expect(alerts('opened')).toEqual([1, 2]);
    expect(alerts('retracted')).toEqual([1, 3]);
  });

  it('closes the findings that it mends', async () => {
    const dayMs = 86_400_000;
    const late = (day: number, atMs: number) => lateRowsFinding('contoso', day * dayMs, atMs);
    const gap = gapFinding(
      { pipeline: 'test', partition: 0, tenant: 'contoso' },
      { expected: 3, found: 5, sinceMs: 20_000 * dayMs },
      NOW_MS - 1,
    );
    // Of days before, of another kind, and of rows that came while the rescan ran.
    const others = [
      late(19_999, NOW_MS - 1),
      findingWrite({ code: 'silent_source', subject: 'x', tenant: 'contoso', state: 'open', message: '' }, NOW_MS - 1),
      late(20_001, NOW_MS),
    ];
    await outputs.deliver([late(20_000, NOW_MS - 1), gap, ...others]);
    const open = async () => (await outputs.openFindings('contoso')).length;
    await run(files, { fromMs: 20_000 * dayMs, dryRun: true });
    await run(files, { fromMs: 20_000 * dayMs, toMs: NOW_MS });
    expect(await open()).toBe(5);
    await run(files, { fromMs: 20_000 * dayMs });
    const left = (await outputs.openFindings('contoso')).map(({ relaywatch }) => relaywatch);
    expect(left).toHaveLength(3);
    expect(left).toMatchObject(others.map(({ document }) => document.relaywatch));
  });

  it('goes on from what the detector has written while it ran', async () => {
    await run();
    const [{ relaywatch }] = stored();
    const { recipients } = relaywatch.incident;
    relaywatch.generation = 7;
    delete (relaywatch as { rescan?: unknown }).rescan;
    relaywatch.incident.recipients -= 50;
    const exports = async () => {
      const [now] = stored() as unknown as { event: { end: string }; relaywatch: Stored['relaywatch'] }[];
      now.relaywatch.incident.recipients += 7;
      now.relaywatch.revision++;
      now.event.end = '2026-06-30T00:00:00.000Z';
      return files.map((file) => ({ path: file, dateOrder: null }));
    };
    expect((await run(files, { exports })).changes).toMatchObject([{ kind: 'changed' }]);
    expect(stored()[0].relaywatch).toMatchObject({
      generation: 7,
      incident: { recipients: recipients + 7 },
      rescan: { counted: { recipients: recipients - 43 } },
    });
    expect(stored()[0]).toMatchObject({ event: { end: '2026-06-30T00:00:00.000Z' } });
  });

  it('keeps what the detector has written while it ran', async () => {
    await run();
    const other = wanted();
    const exports = async () => {
      stored()[0].relaywatch.revision = 5;
      return files.map((file) => ({ path: file, dateOrder: null }));
    };
    const report = await run(files, { profile: other, exports });
    expect(report).toMatchObject({ changes: [], unchanged: 1 });
    expect(report.warnings.join()).toContain('the detector has written since');
    expect(stored()[0].relaywatch).toMatchObject({ revision: 5, incident: { state: 'open' } });
  });
});

describe('a rescan of an archive that lacks rows', () => {
  it.each([
    ['without the export', () => files.slice(0, -1)],
    ['without any export', () => []],
  ])('keeps the incident: %s', async (_, paths) => {
    await run();
    const [before] = structuredClone(stored());
    const report = await run(paths());
    expect(report).toMatchObject({ changes: [], unchanged: 0, unseen: 1 });
    expect(report.warnings.join()).toContain(`${before.event.id}: left as stored`);
    expect(stored()).toEqual([before]);
    expect(alerts('retracted')).toEqual([]);
  });

  it('makes no incident smaller', async () => {
    await run();
    const [before] = structuredClone(stored());
    const [{ relaywatch }] = stored();
    relaywatch.incident.recipients *= 2;
    relaywatch.incident.evidence[0] = { ...relaywatch.incident.evidence[0], message_trace_id: 'not in the archive' };
    expect(await run()).toMatchObject({ changes: [], unseen: 1 });
    // All of its rows are there: it was counted otherwise.
    relaywatch.incident.evidence = before.relaywatch.incident.evidence;
    expect(await run()).toMatchObject({ changes: [{ kind: 'changed' }], unseen: 0 });
    expect(stored()[0].relaywatch.incident.recipients).toBe(before.relaywatch.incident.recipients);
  });

  it('keeps an incident that is now detected just outside the time', async () => {
    await run();
    const [{ relaywatch }] = stored();
    const dayMs = Date.parse(`${relaywatch.incident.detected_at.slice(0, 10)}T00:00:00Z`);
    store({ ...stored()[0], event: { ...stored()[0].event, id: 'rw-stored' } });
    relaywatch.incident.detected_at = new Date(dayMs - 1).toISOString();
    expect(await run(files, { toMs: dayMs })).toMatchObject({ changes: [], unseen: 1 });
    relaywatch.incident.detected_at = new Date(dayMs + 86_400_000).toISOString();
    expect(await run(files, { fromMs: dayMs + 86_400_000 })).toMatchObject({ changes: [], unseen: 1 });
  });

  it('retracts nothing of an incident that came while the archive was read', async () => {
    const report = await run(files, {
      async exports() {
        await run();
        return [];
      },
    });
    expect(report).toMatchObject({ changes: [], unseen: 0 });
    expect(stored()).toHaveLength(1);
  });
});

describe('a rescan reads as a detector does', () => {
  const columns = 'origin_timestamp_utc,sender_address,recipient_status,message_subject,network_message_id';
  const row = (at: string, number: number) =>
    `${at},a@contoso.example,b${number}@elsewhere.example##Receive,S,${'0'.repeat(31)}${number}`;

  async function exportOf(name: string, header: string, rows: string[]): Promise<string> {
    const file = path.join(folder, name);
    await writeFile(file, `${[header, ...rows].join('\n')}\n`);
    return file;
  }

  it('refuses an export of ambiguous dates alone, and takes the order of the tenant', async () => {
    const rows = [row('03/04/2026 10:00:00', 1), row('03/05/2026 10:00:00', 2)];
    const ambiguous = await exportOf('ambiguous.csv', columns, rows);
    const report = await run([...files, ambiguous]);
    expect(report.changes).toMatchObject([{ kind: 'new' }]);
    expect(report.warnings.join()).toMatch(/ambiguous\.csv: day and month cannot be told apart/);
    const told = await run([...files, ambiguous], { profile: { ...profile, dateOrder: 'dmy' } });
    expect(told.warnings.join()).not.toContain('ambiguous.csv');
  });

  it('leaves out the rows of other organisations', async () => {
    const withOrganization = async (file: string, organization: string) => {
      const [, ...lines] = (await readFile(file, 'utf8')).trimEnd().split(/\r?\n/);
      const rows = lines.flatMap((line) => {
        const [at, sender, recipients, subject, , , id] = line.match(/(?<=^|,)("[^"]*"|[^,]*)(?=,|$)/g) as string[];
        return recipients
          .replaceAll('"', '')
          .split(';')
          .map((one) => [at, sender, one.split('##')[0], subject, 'Delivered', id, organization].join(','));
      });
      const header = 'Received,SenderAddress,RecipientAddress,Subject,Status,MessageTraceId,Organization';
      return await exportOf(`${organization}-${path.basename(file)}`, header, rows);
    };
    const ours = 'contoso.onmicrosoft.com';
    const theirs = 'adatum.onmicrosoft.com';
    const own = await Promise.all(files.map((file) => withOrganization(file, ours)));
    const foreign = await withOrganization(files[0], theirs);
    const one = { ...profile, organizations: [ours] };
    const { changes } = await run(own, { profile: one, dryRun: true });
    expect((await run([foreign, ...own], { profile: one })).changes).toEqual(changes);
    const [document] = stored();
    expect(document.organization).toEqual({ name: ours });
    // Without a list it is the organisation that the stored incidents name, whichever file comes first.
    expect(await run([foreign, ...own])).toMatchObject({ changes: [], unchanged: changes.length });
  });
});
