/**
 * Steps that several runbooks share. Their order follows Microsoft's list for getting a tenant unblocked: register
 * the domains you send from, look for unusual inbound connectors, secure the on-premises servers, then prove it to
 * Support ("Fix NDR error code 550 5.7.750", learn.microsoft.com).
 */

import type { RunbookStep } from '../core/runbook.ts';

export const connectorStep: RunbookStep = {
  question: 'Is this inbound connector yours, and was it created or changed lately?',
  field: 'connector_id in the trace; WhenCreatedUTC, SenderIPAddresses and TlsSenderCertificateName of the connector',
  timeRange: 'the week before the first row',
  show: {
    shell: 'exchange_online',
    text: 'Get-InboundConnector -Identity {{connector}} | Format-List Name,Enabled,ConnectorType,SenderIPAddresses,TlsSenderCertificateName,WhenCreatedUTC,WhenChangedUTC',
  },
  stop: { shell: 'exchange_online', text: 'Set-InboundConnector -Identity {{connector}} -Enabled $false' },
  meaning:
    'Switching it off stops all mail of the servers behind it. If nobody here made it, an administrator account is compromised too.',
};

export const connectorListStep: RunbookStep = {
  question: 'Which inbound connector lets this server in?',
  field: 'SenderIPAddresses and TlsSenderCertificateName of the connectors',
  timeRange: 'now, and the week before the first row',
  show: {
    shell: 'exchange_online',
    text: 'Get-InboundConnector | Format-List Name,Enabled,ConnectorType,SenderIPAddresses,TlsSenderCertificateName,WhenCreatedUTC,WhenChangedUTC',
  },
  stop: null,
  meaning: 'A connector that nobody knows is the way in: switch it off with Set-InboundConnector -Enabled $false.',
  unless: 'connector',
};

export const auditStep: RunbookStep = {
  question: 'Who created or changed connectors and mail flow rules before it began?',
  field: 'Operations, UserIds and ClientIP of the unified audit log',
  timeRange: 'the week before the first row',
  show: {
    shell: 'exchange_online',
    text: 'Search-UnifiedAuditLog -StartDate {{week_before}} -EndDate {{to}} -Operations New-InboundConnector,Set-InboundConnector,New-TransportRule,Set-TransportRule | Format-List CreationDate,UserIds,Operations,AuditData',
  },
  stop: null,
  meaning: 'A change that nobody asked for means a stolen administrator account: reset it before anything else.',
};

export const sourceStep: RunbookStep = {
  question: 'Is the server at this address yours, and which senders does it hand in?',
  field: 'FromIP (original_client_ip in the enhanced summary) and SenderAddress',
  timeRange: 'from the first row to the last',
  show: {
    shell: 'exchange_online',
    text: 'Get-MessageTraceV2 -FromIP {{source}} -StartDate {{from}} -EndDate {{to}} -ResultSize 5000 | Group-Object SenderAddress -NoElement | Sort-Object Count -Descending',
  },
  stop: null,
  meaning:
    'If the server is yours, take it off the network path to Exchange Online until you know what sends through it.',
};

export const serverStep: RunbookStep = {
  question: 'On the Exchange server: which client handed these messages in?',
  field: 'ClientIp and Sender of the RECEIVE events in the message tracking log',
  timeRange: 'from the first row to the last',
  show: {
    shell: 'exchange_server',
    text: 'Get-TransportService | Get-MessageTrackingLog -Start {{from}} -End {{to}} -EventId RECEIVE -ResultSize Unlimited | Group-Object ClientIp,Sender -NoElement | Sort-Object Count -Descending',
  },
  stop: null,
  meaning: 'One client with many senders is a compromised machine or an open relay; cut it off and patch the server.',
};

export const domainStep: RunbookStep = {
  question: 'Is this sender domain yours, and is it registered in the tenant?',
  field: 'the domain of SenderAddress; DomainName of the accepted domains',
  timeRange: 'now',
  show: {
    shell: 'exchange_online',
    text: 'Get-AcceptedDomain -ResultSize Unlimited | Where-Object DomainName -eq {{domain}}',
  },
  stop: null,
  meaning:
    'If it is yours, register it (Microsoft 365 admin center, Settings, Domains). If not, the mail is not yours to send.',
};

export const forwardStep: RunbookStep = {
  question: 'Does a mailbox here forward mail to the outside?',
  field: 'ForwardingSmtpAddress of the mailboxes; ForwardTo and RedirectTo of their inbox rules',
  timeRange: 'now',
  show: {
    shell: 'exchange_online',
    text: 'Get-Mailbox -ResultSize Unlimited | Where-Object ForwardingSmtpAddress | Format-Table PrimarySmtpAddress,ForwardingSmtpAddress,DeliverToMailboxAndForward',
  },
  stop: null,
  meaning: 'Forwarding that somebody here set up is harmless, but Microsoft counts it: keep it small.',
};

export const messageStep: RunbookStep = {
  question: 'How did one of these messages come in and go out?',
  field: 'Event, Detail and Data (ConnectorId, ClientIP) of the message trace detail',
  timeRange: 'one message of the evidence',
  show: {
    shell: 'exchange_online',
    text: 'Get-MessageTraceDetailV2 -MessageTraceId {{trace}} -RecipientAddress {{recipient}} | Format-List Date,Event,Detail,Data',
  },
  stop: null,
  meaning: 'The Receive event names the connector and the client; a Fail event carries the answer of the other side.',
};

export const mailboxTrafficStep: RunbookStep = {
  question: 'Did the owner mean to send this?',
  field: 'Subject, Status and FromIP of the mailbox’s messages',
  timeRange: 'from the first row to the last',
  show: {
    shell: 'exchange_online',
    text: 'Get-MessageTraceV2 -SenderAddress {{mailbox}} -StartDate {{from}} -EndDate {{to}} -ResultSize 5000 | Group-Object Subject,Status -NoElement | Sort-Object Count -Descending',
  },
  stop: {
    shell: 'graph',
    text: 'Update-MgUser -UserId {{mailbox}} -AccountEnabled:$false; Revoke-MgUserSignInSession -UserId {{mailbox}}',
  },
  meaning:
    'If not, the account is compromised: block it, end its sessions, reset the password and look at its sign-in methods.',
};

export const mailboxSignInStep: RunbookStep = {
  question: 'Where did the account sign in from, and what was changed in it?',
  field: 'Operations and ClientIP of the unified audit log',
  timeRange: 'the week before the first row',
  show: {
    shell: 'exchange_online',
    text: 'Search-UnifiedAuditLog -UserIds {{mailbox}} -StartDate {{week_before}} -EndDate {{to}} -Operations UserLoggedIn,New-InboxRule,Set-InboxRule,UpdateInboxRules,Set-Mailbox | Format-List CreationDate,Operations,AuditData',
  },
  stop: null,
  meaning: 'A new country or a new inbox rule shortly before the first row confirms it.',
};

export const mailboxRuleStep: RunbookStep = {
  question: 'Do inbox rules hide answers or send mail on?',
  field: 'ForwardTo, RedirectTo, DeleteMessage and MoveToFolder of the inbox rules',
  timeRange: 'now',
  show: {
    shell: 'exchange_online',
    text: 'Get-InboxRule -Mailbox {{mailbox}} | Format-List Name,Enabled,ForwardTo,RedirectTo,DeleteMessage,MoveToFolder',
  },
  stop: null,
  meaning: 'Remove rules that the owner does not know.',
};

export const mailboxSmtpStep: RunbookStep = {
  question: 'Does a program send with this account (SMTP AUTH)?',
  field: 'SmtpClientAuthenticationDisabled of the mailbox',
  timeRange: 'now',
  show: {
    shell: 'exchange_online',
    text: 'Get-CASMailbox -Identity {{mailbox}} | Format-List SmtpClientAuthenticationDisabled',
  },
  stop: {
    shell: 'exchange_online',
    text: 'Set-CASMailbox -Identity {{mailbox}} -SmtpClientAuthenticationDisabled $true',
  },
  meaning: 'A newsletter or a scanner that really needs so many recipients belongs on a service made for it.',
};

export const restrictedStep: RunbookStep = {
  question: 'Has Microsoft restricted the account already?',
  field: 'the restricted entities of the tenant',
  timeRange: 'now',
  show: { shell: 'exchange_online', text: 'Get-BlockedSenderAddress -SenderAddress {{mailbox}}' },
  stop: null,
  meaning: 'Lift a restriction (Remove-BlockedSenderAddress) only after the account is secured.',
};

export const limitsStep: RunbookStep = {
  question: 'How does Microsoft itself count the tenant?',
  field: 'ObservedValue, Threshold and EnforcementEnabled',
  timeRange: 'the last 24 hours',
  show: { shell: 'exchange_online', text: 'Get-LimitsEnforcementStatus' },
  stop: null,
  meaning: 'Above the threshold external mail is refused until enough of the last 24 hours has passed.',
};

export const busiestSendersStep: RunbookStep = {
  question: 'Which mailboxes make the volume?',
  field: 'SenderAddress',
  timeRange: 'from the first row to the last',
  show: {
    shell: 'exchange_online',
    text: 'Get-MessageTraceV2 -StartDate {{from}} -EndDate {{to}} -ResultSize 5000 | Group-Object SenderAddress -NoElement | Sort-Object Count -Descending | Select-Object -First 20',
  },
  stop: null,
  meaning: 'Move newsletters and mass mailings to a service made for them, or spread them over days.',
};
