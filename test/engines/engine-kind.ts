import type { ServerPlan } from './server.ts';

/** What has to be known about a kind of server to use one. */
export interface EngineKind<Address, Options> {
  /** The address of a server that somebody else runs, from the environment; null when there is none. */
  given(): Address | null;
  /** What this machine lacks to run one, in words that end a sentence; null when it lacks nothing. */
  whyMissing(): string | null;
  /** Brings the program onto this machine, if it is not there yet, and says where it is. */
  install(): Promise<string>;
  /** Prepares an empty folder for a new server. */
  plan(folder: string, options: Options): Promise<{ plan: ServerPlan; address: Address }>;
}
