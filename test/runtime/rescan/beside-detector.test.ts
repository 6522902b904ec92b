import { MemoryOutputStore } from '../../../src/adapters/memory/output-store.ts';
import { describeRescansBesideDetector } from './beside-detector.ts';

describeRescansBesideDetector('memory', async () => {
  const store = new MemoryOutputStore();
  return { store, close: () => store.close() };
});
