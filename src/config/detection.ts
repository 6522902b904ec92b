/** What the walk takes from the detectors. */

import { type Feedback, NO_FEEDBACK } from '../core/feedback.ts';
import type { CeilingSettings, DetectionSettings, ServiceLimit } from '../core/series-settings.ts';
import {
  CEILING_RECORD_FACTOR,
  MAILBOX_CEILINGS,
  MAILBOX_LIMIT_MARKS,
  MAILBOX_RECIPIENT_LIMIT,
  ONMICROSOFT_LIMIT_MARKS,
  ONMICROSOFT_RECIPIENT_LIMIT,
  TENANT_LIMIT_MARKS,
} from '../detectors/ceilings.ts';
import { detectors } from './registry.ts';

/**
 * External recipients the tenant may reach in a sliding 24 hours (TERRL), by its licenses: 1 license 10,000,
 * 100 licenses 22,059, 1,000 licenses 72,446 (Microsoft 365 message MC1023294).
 */
export function tenantRecipientLimit(licenses: number): number {
  return Math.round(500 * Math.pow(licenses, 0.7) + 9500);
}

/** Everything the walk counts by. */
export function detectionSettings(licenses: number | null, feedback: Feedback = NO_FEEDBACK): DetectionSettings {
  return {
    series: detectors.flatMap(({ settings, narrower = [] }) => [...narrower, ...(settings === null ? [] : [settings])]),
    ceilings: ceilingSettings(licenses),
    feedback,
  };
}

function ceilingSettings(licenses: number | null): CeilingSettings {
  const limits: ServiceLimit[] = [
    {
      name: 'mailbox_recipients_24h',
      scope: 'mailbox',
      budget: MAILBOX_RECIPIENT_LIMIT,
      marks: MAILBOX_LIMIT_MARKS,
    },
    {
      name: 'onmicrosoft_external_recipients_24h',
      scope: 'onmicrosoft',
      budget: ONMICROSOFT_RECIPIENT_LIMIT,
      marks: ONMICROSOFT_LIMIT_MARKS,
    },
  ];
  if (licenses !== null) {
    limits.unshift({
      name: 'tenant_external_recipients_24h',
      scope: 'tenant',
      budget: tenantRecipientLimit(licenses),
      marks: TENANT_LIMIT_MARKS,
    });
  }
  return { mailbox: MAILBOX_CEILINGS, recordFactor: CEILING_RECORD_FACTOR, limits };
}
