/**
 * EmailEvents of Microsoft Defender XDR: a row for a message and a recipient, as the streaming API writes them
 * (Event Hubs, storage) and as Advanced Hunting exports them (Microsoft, "EmailEvents table in the advanced
 * hunting schema"). `SenderMailFromAddress` is the envelope sender. No row has the text of a rejection.
 *
 * A row is sent again when the verdict or the place of the message changes. The newest would tell its status; what
 * is kept of a pair has no room for the time of publication, so the highest status counts here, as in all
 * formats: a message that was quarantined and released stays quarantined.
 */

import type { TraceFormat } from './format.ts';

export const emailEvents: TraceFormat = {
  id: 'email-events',
  title: 'EmailEvents of Defender XDR (streaming API, Advanced Hunting)',
  source: 'Microsoft Defender XDR: streaming to Event Hubs or storage, Advanced Hunting',
  command: 'EmailEvents | where Timestamp > ago(7d)',
  lacks: ['mail that is still being tried', 'groups that were expanded', 'replies of servers'],
  shapes: ['csv', 'json'],
  rank: 1,
  columns: {
    // `time` beside the properties is that of publication, minutes later.
    event_time: ['timestamp', 'timegenerated'],
    sender: ['sendermailfromaddress'],
    header_sender: ['senderfromaddress', 'senderfromdomain'],
    recipient: ['recipientemailaddress'],
    delivery_location: ['deliverylocation'],
    delivery_action: ['deliveryaction'],
    subject: ['subject'],
    message_id: ['internetmessageid'],
    message_trace_id: ['networkmessageid'],
    from_ip: ['senderipv4'],
    from_ip_v6: ['senderipv6'],
    direction: ['emaildirection'],
    connector: ['connectors'],
    // `AdvancedHunting-EmailEvents` in the stream, `EmailEvents` in exports of Sentinel.
    table: ['category', 'type'],
  },
  // No organization: `TenantId` is that of the tenant in the stream, and of a workspace in exports of Sentinel.
  required: [['event_time'], ['sender'], ['recipient'], ['message_trace_id']],
  foreign: ['eventid', 'recipientstatus'],
  // EmailAttachmentInfo, EmailPostDeliveryEvents and records of devices under the category of EmailEvents lack both.
  proof: ['sender', 'direction'],
};
