/** Connectors of a tenant, as Get-InboundConnector and Get-OutboundConnector list them. */

export interface Connector {
  /** As message traces name it. */
  readonly name: string;
  readonly direction: 'inbound' | 'outbound';
  readonly isEnabled: boolean;
  /** `OnPremises` or `Partner`; empty where the list does not say. */
  readonly type: string;
  /** Addresses, networks and domains of the senders that it takes mail from; empty where the list does not say. */
  readonly senderAddresses: readonly string[];
  readonly senderDomains: readonly string[];
  readonly createdMs: number | null;
  readonly changedMs: number | null;
}
