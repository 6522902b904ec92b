/**
 * What can happen to a row: it is accepted, it is dropped for a reason that somebody intended,
 * or it becomes a dead letter with a code. Bad data is a value; an exception means that the
 * outside world, or this program, failed.
 */

/** What a code means and what a person does about it: sentences, for the README and for `dead-letters`. */
export interface OutcomeGuide {
  meaning: string;
  action: string;
}

/** Intended drops: the keys are the closed list of `rows.dropped` in the ledger. */
export const DROPS = {
  out_of_range: {
    meaning: 'The event time is before `--since`, or at or after `--until`.',
    action: 'Nothing; or ask for another range.',
  },
  repeated_header: {
    meaning: 'The line of column names again, where exports were joined to one file.',
    action: 'Nothing.',
  },
  shadow_event: {
    meaning: 'An event about the copies that servers keep for each other (HARECEIVE, HADISCARD, RESUBMIT and others).',
    action: 'Nothing: the message has events of its own.',
  },
  agent_event: {
    meaning: 'A note of a transport agent (AGENTINFO, PROCESS and others).',
    action: 'Nothing.',
  },
  moderation_event: {
    meaning: 'An event of the approval of a message (MODERATORAPPROVE and others).',
    action: 'Nothing: a message that was approved is sent on with events of its own.',
  },
  service_event: {
    meaning: 'An event of the transport service itself (THROTTLE, POISONMESSAGE and others).',
    action: 'Nothing.',
  },
  event_without_recipient: {
    meaning: 'A submission, or another event that ends nothing, and that names no recipient.',
    action: 'Nothing: the next events of the message name them.',
  },
  unknown_event: {
    meaning: 'An event that no version of Exchange known here writes.',
    action: 'Look at the column event-id of the rows; where such an event delivers mail, tell us.',
  },
  other_table: {
    meaning: 'A record of another table of the same stream, such as EmailAttachmentInfo beside EmailEvents.',
    action: 'Nothing.',
  },
} as const satisfies Record<string, OutcomeGuide>;
export type DropReason = keyof typeof DROPS;
export const DROP_REASONS = Object.keys(DROPS) as readonly DropReason[];

/**
 * Rows that could not be used although they should have been: the keys are the closed list of
 * `rows.dead_lettered`.
 */
export const DEAD_LETTERS = {
  malformed_record: {
    meaning: 'Quotes or the number of cells break the CSV grammar.',
    action: 'Look for a stray quote or a line break in the row; mend it and replay it, or export it again.',
  },
  cut_record: {
    meaning: 'The file ends inside a record.',
    action: 'The export or its copy was interrupted: copy it again, or export it again.',
  },
  too_long: {
    meaning: 'A record is longer than a megabyte, or has more than 512 cells.',
    action: 'No export has such rows: look at the file near that line, a quote may have swallowed what follows.',
  },
  malformed_json: {
    meaning: 'A JSON element cannot be parsed, is no object, or is nested too deeply.',
    action: 'Mend the element and replay it, or export it again; ConvertTo-Json needs no -Depth for traces.',
  },
  malformed_xml: {
    meaning: 'A record of an XML feed cannot be parsed, or what stands before it is harmful.',
    action: 'Ask the service again for that page.',
  },
  bad_time: {
    meaning: 'The event time is missing or cannot be read.',
    action: 'Export with ISO dates; where only some rows have another order of day and month, use `--date-order`.',
  },
  future_time: {
    meaning: 'The event time is more than 24 hours after the present.',
    action: 'Check the clock of this machine and the order of day and month; if both are right the row is wrong.',
  },
  past_time: {
    meaning: 'The event time is before the year 2000.',
    action: 'The time was broken on its way, often by a spreadsheet: export the row again.',
  },
  bad_recipient: {
    meaning: 'There is no recipient, or it is no address.',
    action: 'Export again without changing the columns; cells of several recipients need the Enhanced summary.',
  },
  bad_sender: {
    meaning: 'The sender holds text that is no address, as formatted output does.',
    action: 'Export without Format-Table and without calculated columns for SenderAddress.',
  },
  no_identity: {
    meaning: 'Neither a message trace id nor a Message-ID: the row cannot be told from others.',
    action: 'Export with MessageTraceId or MessageId.',
  },
  bad_status: {
    meaning: 'The status is a word that no version of Exchange writes.',
    action: 'Export in English, without calculated columns for Status.',
  },
  other_tenant: {
    meaning: "The row names an organization that is not the tenant's.",
    action: 'Submit the export for its own tenant, or add the organization to the profile of the tenant.',
  },
  bad_envelope: {
    meaning: 'An entry of the log that is no envelope of relaywatch, or one that was damaged.',
    action: 'Find out what else writes to the topic; submit the export of a damaged envelope again.',
  },
  unknown_tenant: {
    meaning: 'An envelope of a tenant that has no profile here.',
    action: 'Add the profile of the tenant, then replay.',
  },
} as const satisfies Record<string, OutcomeGuide>;
export type DeadLetterCode = keyof typeof DEAD_LETTERS;
export const DEAD_LETTER_CODES = Object.keys(DEAD_LETTERS) as readonly DeadLetterCode[];

/** Why a whole file was refused: the keys are the closed list of `refused.code` in the ledger. */
export const REFUSALS = {
  not_found: { meaning: 'The file or folder does not exist.', action: 'Check the name and the folder.' },
  not_readable: {
    meaning: 'The file cannot be read.',
    action: 'Let the user that runs relaywatch read it, and check the disk.',
  },
  not_a_file: {
    meaning: 'The path is neither a file nor a folder.',
    action: 'Name the export file itself.',
  },
  binary: {
    meaning: 'The file is no text: a workbook, for example.',
    action: 'Save the sheet as CSV UTF-8, or export again.',
  },
  unknown_format: {
    meaning: 'Its columns are those of no format that is known.',
    action: 'The message names what it looks like and what is missing; `convert --explain` says more of other files.',
  },
  mostly_unreadable: {
    meaning: 'More than half of its first 1,000 records cannot be used; nothing of it was read.',
    action: 'The message names the most frequent reason: export it again.',
  },
  ambiguous_dates: {
    meaning: 'Day and month of its dates cannot be told apart.',
    action: 'Give `--date-order`, or export with ISO dates.',
  },
  no_exports: {
    meaning: 'The folder or archive holds no message trace.',
    action: 'Give the folder that holds the exports.',
  },
  damaged_container: {
    meaning: 'The gzip, zstd or ZIP file is damaged or cut.',
    action: 'Copy it again.',
  },
  container_too_large: {
    meaning: 'It expands to more than a trace export can: 200 times its size, 64 GiB, or 65,536 files.',
    action: 'If it is an export, unpack it first and give the files.',
  },
  nested_container: {
    meaning: 'It is an archive inside another.',
    action: 'Unpack the outer one first.',
  },
  locked_container: {
    meaning: 'It is protected with a password, or compressed in a rare way.',
    action: 'Unpack it first.',
  },
} as const satisfies Record<string, OutcomeGuide>;
export type RefusalCode = keyof typeof REFUSALS;
export const REFUSAL_CODES = Object.keys(REFUSALS) as readonly RefusalCode[];

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
