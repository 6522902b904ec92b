/** What `setup` and `doctor` report about a server. */

/** One thing that `setup` brings into the state that the pipelines need. */
export interface SetupStep {
  what: string;
  state: 'created' | 'updated' | 'unchanged' | 'would create' | 'would update';
}

/** One thing that `doctor` looked at. */
export interface Check {
  what: string;
  ok: boolean;
  /** What was found. */
  detail: string;
  /** What to do; null where nothing is to be done. */
  hint: string | null;
}
