/**
 * Connectors of the tenant: by which rules mail enters and leaves it. What an attacker makes first is an inbound
 * connector for a server of theirs, so the time of its creation is evidence.
 */

export interface Connector {
  direction: 'inbound' | 'outbound';
  /** As rows of message traces name it. */
  name: string;
  /** Lower case, with dashes; empty where the export has none. */
  guid: string;
  isEnabled: boolean;
  /** `OnPremises` or `Partner`; empty where the export does not say. */
  type: string;
  /** Who made it: `Default`, `HybridWizard`, `Migrated`, `AdminUI`; empty where the export does not say. */
  source: string;
  /** UTC milliseconds; null where the export does not tell. */
  createdMs: number | null;
  changedMs: number | null;
  /**
   * Inbound: domains whose mail it takes, lower case, `*` for all and `*.x` for those below. Outbound: domains it
   * sends to. Null where the export does not tell.
   */
  domains: readonly string[] | null;
  /** Inbound: addresses and ranges of the servers it takes mail from, as written; null where the export does not tell. */
  addresses: readonly string[] | null;
  /** Inbound: the name in the certificate of those servers. Outbound: that of the server it sends to. Empty for none. */
  certificateName: string;
}

/** Connectors of one direction and name belong together; exports of several days hold them several times. */
export function uniqueConnectors(connectors: readonly Connector[]): Connector[] {
  const byKey = new Map<string, Connector>();
  for (const connector of connectors) {
    const key = `${connector.direction} ${connector.name.toLowerCase()}`;
    const known = byKey.get(key);
    if (known === undefined || isNewer(connector, known)) byKey.set(key, connector);
  }
  return [...byKey.keys()].sort().map((key) => byKey.get(key) as Connector);
}

/** By the time of change, then of creation: one that was made again under an old name is the newer. */
function isNewer(one: Connector, other: Connector): boolean {
  const changed = (one.changedMs ?? -1) - (other.changedMs ?? -1);
  return changed > 0 || (changed === 0 && (one.createdMs ?? -1) > (other.createdMs ?? -1));
}
