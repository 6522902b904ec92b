/** Machine output: one JSON value per line, and the ledger. */

import type { EvidencePointer, IncidentDocument } from '../core/incident-document.ts';
import type { FileLedger, Ledger } from '../core/ledger.ts';

/**
 * What JSON may hold as it is and a terminal, a log viewer or an editor would act on. As an escape it is
 * the same value to every JSON parser.
 */
const SHOWN_AS_ESCAPE = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A value in one line of JSON. */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value).replace(
    SHOWN_AS_ESCAPE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${json}\n`;
}

/** The incidents, one a line, in the order given. */
export function incidentsNdjson(incidents: readonly IncidentDocument[]): string {
  return incidents.map(jsonLine).join('');
}

/** Where the evidence stands in the files, one row a line. */
export function evidenceNdjson(evidence: readonly EvidencePointer[], files: readonly FileLedger[]): string {
  return evidence
    .map(({ incident, message_trace_id, recipient, file, offset, length }) => {
      const { path, sha256 } = files[file];
      return jsonLine({ incident, message_trace_id, recipient, file: path, sha256, offset, length });
    })
    .join('');
}

export function ledgerJson(ledger: Ledger): string {
  return `${JSON.stringify(ledger, null, 2)}\n`;
}
