/** The seam to a partitioned log of raw records that others write, such as the streaming API of Defender XDR. */

export interface RecordMessage {
  offset: number;
  /** Wall time of the message as the log has it, milliseconds. */
  appendedMs: number;
  bytes: Uint8Array;
}

/** How far a partition is done. The log keeps it, for whoever reads the partition next. */
export interface RecordPlace {
  /** The next message to read. */
  offset: number;
  /** A short text of the handler's, which comes back with the offset. Empty where it was lost. */
  note: string;
}

/** What consumes partitions. Calls for one partition never overlap. */
export interface RecordHandler {
  /** The partition is ours: messages come from `place` on, or from the oldest that the log has. */
  assigned(partition: number, place: RecordPlace | null): Promise<void>;
  /** Messages in order; `end` is the offset after the newest that there is. Resolves to how far all is done. */
  messages(partition: number, messages: readonly RecordMessage[], end: number): Promise<RecordPlace>;
  /** The log no longer has `[expected, found)`; with `found` before `expected` it is another log. */
  gap(partition: number, expected: number, found: number): Promise<void>;
  /** Nothing arrived for a while, or everything there is was handed over. */
  idle(partition: number): Promise<void>;
  /** The partition is another member's, or is given up. */
  revoked(partition: number): Promise<void>;
}

export interface RecordSource {
  /**
   * Consumes until `signal` aborts (resolves, after the calls under way ended) or nothing helps any more (rejects).
   * After a crash, and when partitions move, messages may come again from an earlier place.
   */
  run(handler: RecordHandler, signal: AbortSignal): Promise<void>;
  /** Wall time of the last sign of life from the log, milliseconds; for liveness. */
  readonly lastProgressMs: number;
}
