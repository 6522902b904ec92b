import { MemoryDocuments, MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import type { OutputWrite } from '../../../src/core/delivery.ts';
import { describeOutputStoreContract, UNKNOWN_FIELD } from '../contract/output-store.ts';

const refuse = ({ document }: OutputWrite) =>
  Object.hasOwn(document, UNKNOWN_FIELD) ? `[${UNKNOWN_FIELD}] is not allowed` : null;

describeOutputStoreContract(
  'Memory',
  async () => {
    const documents = new MemoryDocuments();
    return {
      store: new MemoryOutputStore(documents, { refuse }),
      another: new MemoryOutputStore(documents, { refuse }),
      documents: async (kind) => documents.of(kind),
      async triage(id, triage) {
        const { relaywatch } = documents.of('incident').get(id) as { relaywatch: Record<string, unknown> };
        relaywatch.triage = triage;
      },
      async close() {},
    };
  },
  { strict: true },
);
