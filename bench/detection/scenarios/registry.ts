/** All scenarios, in the order of the report. */

import type { Scenario } from '../scenario.ts';
import { MAILBOX_SCENARIOS } from './mailbox.ts';
import { QUIET_SCENARIOS } from './quiet.ts';
import { REAL_TRACE_SCENARIOS } from './real-traces.ts';
import { RELAY_SCENARIOS } from './relay.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...QUIET_SCENARIOS,
  ...REAL_TRACE_SCENARIOS,
  ...RELAY_SCENARIOS,
  ...MAILBOX_SCENARIOS,
];
