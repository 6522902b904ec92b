/**
 * What an analyst does with an incident: questions in order, each with the field and the time range that
 * answer it, and the PowerShell that shows the answer or stops the abuse. Declared by the detectors, filled
 * with an incident's own values by the reports.
 */

import type { SeriesName } from './incident-document.ts';
import type { SeriesSettings } from './series-settings.ts';

/** Values of an incident that a command can name, written `{{name}}`. A report puts them in as quoted literals. */
export const PLACEHOLDERS = [
  /** The first contributor of its kind. */
  'connector',
  'source',
  'domain',
  'mailbox',
  /** Message trace id and recipient of the first evidence row. */
  'trace',
  'recipient',
  /** Seven days before the first row, the first row, and the last row or ten days later (the most one trace query covers). */
  'week_before',
  'from',
  'to',
] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** Where a command runs: Exchange Online PowerShell, the shell of an Exchange server, or Microsoft Graph PowerShell. */
export type Shell = 'exchange_online' | 'exchange_server' | 'graph';

export interface Command {
  readonly shell: Shell;
  /** One line. Left out of a report where a placeholder has no value in the incident. */
  readonly text: string;
}

export interface RunbookStep {
  readonly question: string;
  /** Field of the trace, of the audit log or of the cmdlet's output that holds the answer. */
  readonly field: string;
  /** Seen from the incident. */
  readonly timeRange: string;
  readonly show: Command;
  /** What ends the abuse at this point; null where nothing here can. */
  readonly stop: Command | null;
  /** What the answer means, and what to do where no command does it. */
  readonly meaning: string;
  /** The step is left out where the incident has this value: another step asks more exactly. */
  readonly unless?: Placeholder;
}

/** What a report tells about the series that raised an incident. */
export interface DetectorGuide {
  readonly series: SeriesName;
  /** A few words, for tables. */
  readonly title: string;
  /** Numbers of the series; null for fixed limits. */
  readonly settings: SeriesSettings | null;
  /** The same series over fewer rows, which say more: lower floors. */
  readonly narrower?: readonly SeriesSettings[];
  /** What looks the same and is harmless; sentences. */
  readonly harmless: readonly string[];
  readonly runbook: readonly RunbookStep[];
}
