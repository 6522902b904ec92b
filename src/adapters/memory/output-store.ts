/** An output store that keeps its documents in memory: for tests, and as the plain statement of what a store does. */

import type { DeliveryReport, IncidentWrite, OutputStore, OutputWrite, StoredIncident } from '../../core/delivery.ts';
import {
  incidentToStore,
  isOpenFinding,
  isRescannedSince,
  replacementToStore,
  storedIncident,
} from '../../core/stored-documents.ts';

type Documents = Map<string, Record<string, unknown>>;

export interface MemoryOutputStoreOptions {
  now?: () => number;
  /** Why a write is refused, as a strict mapping would; null where it is taken. */
  refuse?: (write: OutputWrite) => string | null;
}

/** Documents by kind and id. Several stores may share them, as several workers share a server. */
export class MemoryDocuments {
  readonly #kinds = new Map<OutputWrite['kind'], Documents>();

  of(kind: OutputWrite['kind']): Documents {
    const found = this.#kinds.get(kind) ?? new Map();
    this.#kinds.set(kind, found);
    return found;
  }
}

export class MemoryOutputStore implements OutputStore {
  readonly documents: MemoryDocuments;
  readonly #now: () => number;
  readonly #refuse: (write: OutputWrite) => string | null;

  constructor(documents = new MemoryDocuments(), options: MemoryOutputStoreOptions = {}) {
    this.documents = documents;
    this.#now = options.now ?? Date.now;
    this.#refuse = options.refuse ?? (() => null);
  }

  async check(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
  }

  async deliver(writes: readonly OutputWrite[], signal?: AbortSignal): Promise<DeliveryReport> {
    signal?.throwIfAborted();
    const report: DeliveryReport = { written: 0, unchanged: 0, refused: [] };
    for (const write of writes) {
      const reason = this.#refuse(write);
      if (reason !== null) report.refused.push({ write, reason });
      else if (this.#store(write)) report.written += 1;
      else report.unchanged += 1;
    }
    return report;
  }

  async knownAlerts(ids: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    signal?.throwIfAborted();
    const alerts = this.documents.of('alert');
    return new Set(ids.filter((id) => alerts.has(id)));
  }

  async incidents(tenant: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<StoredIncident[]> {
    signal?.throwIfAborted();
    return [...this.documents.of('incident').values()].map(copyOf).filter(({ document }) => {
      const relaywatch = document.relaywatch as { tenant: string; incident: { detected_at: string } };
      const detectedMs = Date.parse(relaywatch.incident.detected_at);
      return relaywatch.tenant === tenant && detectedMs >= fromMs && detectedMs < toMs;
    });
  }

  async rescanned(tenant: string, sinceMs: number, signal?: AbortSignal): Promise<StoredIncident[]> {
    signal?.throwIfAborted();
    const all = [...this.documents.of('incident').values()].map(copyOf);
    return all.filter(({ document }) => isRescannedSince(document, tenant, sinceMs));
  }

  async openFindings(tenant: string, signal?: AbortSignal): Promise<Record<string, unknown>[]> {
    signal?.throwIfAborted();
    const all = [...this.documents.of('finding').values()];
    return structuredClone(all.filter((document) => isOpenFinding(document, tenant)));
  }

  async close(): Promise<void> {}

  /** Whether the write changed something. */
  #store(write: OutputWrite): boolean {
    const documents = this.documents.of(write.kind);
    const stored = documents.get(write.id);
    switch (write.kind) {
      case 'incident':
        return this.#storeIncident(write, documents);
      case 'alert':
      case 'dead_letter':
        if (stored === undefined) documents.set(write.id, structuredClone(write.document));
        return stored === undefined;
      default: {
        const { sequence } = (stored?.relaywatch ?? {}) as { sequence?: number };
        if (sequence !== undefined && sequence > write.sequence) return false;
        documents.set(write.id, structuredClone(replacementToStore(write)));
        return true;
      }
    }
  }

  #storeIncident(write: IncidentWrite, documents: Documents): boolean {
    const stored = documents.get(write.id);
    const document = incidentToStore(write, stored === undefined ? null : copyOf(stored), this.#now());
    if (document !== null) documents.set(write.id, document);
    return document !== null;
  }
}

function copyOf(document: Record<string, unknown>): StoredIncident {
  return storedIncident(structuredClone(document));
}
