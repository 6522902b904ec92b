/**
 * Traffic that every format can be asked to write: what the writers get, and what a writer says of itself.
 * Writers are made from the documentation of the formats, never from the readers, so that each can show the
 * other's mistakes.
 */

import type { TrafficMessage, TrafficRecipient } from '../../../bench/traffic/message.ts';
import type { Random } from '../../../bench/traffic/random.ts';

export interface WrittenMessage extends TrafficMessage {
  /** P2 sender: the address in the From: header. */
  headerSender: string;
  recipients: WrittenRecipient[];
}

export interface WrittenRecipient extends TrafficRecipient {
  /** What a server said to refuse or defer the message; null where none did. */
  reply: ServerReply | null;
}

export interface ServerReply {
  /** `550 5.7.750 Service unavailable. ...` */
  text: string;
  /** Host name of the server; empty where Exchange Online says it itself. */
  server: string;
  /** What a reader should make of it. Not for writers. */
  refusal: 'none' | 'deferred' | 'elsewhere' | 'address_blocked' | 'threshold_exceeded' | 'unregistered_blocked';
}

/** What a format may be unable to tell. */
export type WrittenField =
  | 'message_trace_id'
  | 'message_id'
  | 'subject'
  | 'source'
  | 'connector'
  | 'direction'
  /** That the message went on to a server outside. */
  | 'sent_on'
  | 'header_sender'
  | 'refusal'
  /** That a recipient is still being tried: the traffic then has none. */
  | 'pending'
  /** What filters did: mail to the junk folder is delivered, quarantined mail failed. */
  | 'verdicts'
  /** Rows of groups, which were expanded. */
  | 'groups';

export interface WrittenFile {
  name: string;
  content: string | Uint8Array;
}

export interface FormatWriter {
  /** Id of the format in the registry. */
  format: string;
  /** Which of its forms this is; unique together with `format`. */
  form: string;
  /** What the form cannot carry. The writer need not leave it out of what it is given. */
  lacks: readonly WrittenField[];
  /** Files with all of the messages, in an order that the form may have. `random` chooses among what is allowed. */
  write(messages: readonly WrittenMessage[], random: Random): WrittenFile[];
}
