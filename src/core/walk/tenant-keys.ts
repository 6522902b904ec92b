/**
 * Dense keys of what the series of a tenant count by: its domains, connectors, sources and mailboxes. They
 * are given in the order in which rows bring them.
 */

import {
  MESSAGE_HI,
  MESSAGE_LO,
  POSITION_HI,
  POSITION_LO,
  RECIPIENT_HI,
  RECIPIENT_LO,
  SENDER_HI,
  SENDER_LO,
} from '../record.ts';
import type { IdTexts } from '../tenant.ts';
import type { ForwardVerdict } from './forwards.ts';
import { DictionaryKeys, MailboxKeys, sourceKeyText } from './series-keys.ts';

export class TenantKeys {
  readonly domains: DictionaryKeys;
  readonly connectors: DictionaryKeys;
  readonly sources: DictionaryKeys;
  readonly mailboxes = new MailboxKeys();

  constructor(texts: IdTexts) {
    this.domains = new DictionaryKeys((id) => texts.domain(id));
    this.connectors = new DictionaryKeys((id) => texts.connector(id));
    this.sources = new DictionaryKeys(
      (id) => sourceKeyText(texts.source(id)),
      (text) => text.endsWith('/64'),
    );
  }

  /** The text of a campaign key; for a mailbox the hash, since its address is read from the export. */
  text(kind: 'connector' | 'source' | 'domain' | 'mailbox', key: number): string {
    if (kind === 'connector') return this.connectors.text(key);
    if (kind === 'source') return this.sources.text(key);
    if (kind === 'domain') return this.domains.text(key);
    const place = this.mailboxes.place(key);
    return `${place.mailboxHi}.${place.mailboxLo}`;
  }

  /** Mailbox key of the sender of a record. */
  sender(words: Uint32Array, base: number): number {
    const mailboxLo = words[base + SENDER_LO];
    const mailboxHi = words[base + SENDER_HI];
    return (
      this.mailboxes.find(mailboxLo, mailboxHi) ||
      this.mailboxes.add({
        mailboxLo,
        mailboxHi,
        positionLo: words[base + POSITION_LO],
        positionHi: words[base + POSITION_HI],
        messageLo: words[base + MESSAGE_LO],
        messageHi: words[base + MESSAGE_HI],
        recipientLo: words[base + RECIPIENT_LO],
        recipientHi: words[base + RECIPIENT_HI],
        isRecipient: false,
      })
    );
  }

  /** Mailbox key of the one that a forward came in for. */
  forwarder(verdict: Readonly<ForwardVerdict>): number {
    const { mailboxLo, mailboxHi, positionLo, positionHi } = verdict;
    return (
      this.mailboxes.find(mailboxLo, mailboxHi) ||
      this.mailboxes.add({
        mailboxLo,
        mailboxHi,
        positionLo,
        positionHi,
        messageLo: 0,
        messageHi: 0,
        recipientLo: mailboxLo,
        recipientHi: mailboxHi,
        isRecipient: true,
      })
    );
  }
}
