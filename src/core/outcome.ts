/**
 * What can happen to a row: it is accepted, it is dropped for a reason that somebody intended,
 * or it becomes a dead letter with a code. Bad data is a value; an exception means that the
 * outside world, or this program, failed.
 */

/** Intended drops. The closed list of `rows.dropped` in the ledger. */
export const DROP_REASONS = ['out_of_range', 'repeated_header'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Rows that could not be used although they should have been. The closed list of `rows.dead_lettered`. */
export const DEAD_LETTER_CODES = [
  /** Quotes or the number of cells break the CSV grammar. */
  'malformed_record',
  /** The file ends inside a record. */
  'cut_record',
  /** A record or a cell is longer than the reader's bound. */
  'too_long',
  /** A JSON element cannot be parsed, or is no object. */
  'malformed_json',
  /** A record of an XML feed cannot be parsed, or what stands before it is harmful. */
  'malformed_xml',
  /** The event time is missing or unreadable. */
  'bad_time',
  /** The event time is more than 24 h after the present. */
  'future_time',
  /** The event time is before 2000-01-01. */
  'past_time',
  /** No recipient, or one that is no address. */
  'bad_recipient',
  /** The sender cell holds text that is no address (formatted output, for example). */
  'bad_sender',
  /** Neither a message trace id nor a Message-ID: the row cannot be told from others. */
  'no_identity',
  /** A status word that no version of Exchange writes. */
  'bad_status',
  /** The row names an organisation that is not the tenant's. */
  'other_tenant',
  /** An entry of the log that is no envelope, or one that was damaged. */
  'bad_envelope',
  /** An envelope of a tenant that has no profile here. */
  'unknown_tenant',
] as const;
export type DeadLetterCode = (typeof DEAD_LETTER_CODES)[number];

/** Why a whole file was refused. The closed list of `refused.code` in the ledger. */
export const REFUSAL_CODES = [
  'not_found',
  'not_readable',
  'not_a_file',
  'binary',
  'unknown_format',
  'mostly_unreadable',
  'ambiguous_dates',
  'no_exports',
  'damaged_container',
  'container_too_large',
  'nested_container',
  'locked_container',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Exit codes of the command line (design: 0 done, 1 failed or refused, 2 usage, 3 `--fail-on`). */
export type ExitCode = 0 | 1 | 2 | 3;

/**
 * A failure that a person has to act on. `message` says what happened and to what; `hint` says
 * what to do. `exitCode` 2 is for wrong usage, configuration and reference files.
 */
export class RelaywatchError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly exitCode: 1 | 2;

  constructor(fields: { code: string; message: string; hint: string; exitCode?: 1 | 2; cause?: unknown }) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = 'RelaywatchError';
    this.code = fields.code;
    this.hint = fields.hint;
    this.exitCode = fields.exitCode ?? 1;
  }
}
