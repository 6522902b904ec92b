/** How the files that a pipeline names are read: handed in, because nothing here touches files. Paths are absolute. */
export interface PipelineFiles {
  /** The whole file; null where there is none. */
  readFile(path: string): Promise<Uint8Array | null>;
  /** Names in a folder; null where there is none. */
  listFolder(path: string): Promise<string[] | null>;
  /** Now: what has expired is told. */
  readonly nowMs: number;
}
