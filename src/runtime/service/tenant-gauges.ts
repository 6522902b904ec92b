/** What a detector holds, for the metrics: tenants and partitions that went elsewhere leave them. */

import type { DetectWorker } from '../detect/detect-worker.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

const EVERY_MS = 15_000;

/** Tells until the returned function is called. */
export function reportTenants(worker: DetectWorker, { metrics }: Telemetry): () => void {
  const timer = setInterval(() => {
    const held = worker.tenants();
    metrics.keepOnly(
      worker.partitions,
      held.map(({ tenant }) => tenant),
    );
    for (const { tenant, watermarkMs, openPairs, openIncidents } of held) {
      if (Number.isFinite(watermarkMs)) metrics.watermark(tenant, watermarkMs);
      metrics.openPairs(tenant, openPairs);
      metrics.openIncidents(tenant, openIncidents);
    }
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
