/** All scenarios, in the order of the report. */

import type { Scenario } from '../scenario.ts';
import { LOOK_ALIKE_SCENARIOS } from './look-alikes.ts';
import { MAILBOX_SCENARIOS } from './mailbox.ts';
import { RELAY_SCENARIOS } from './relay.ts';
import { SITUATION_SCENARIOS } from './situations.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...RELAY_SCENARIOS,
  ...MAILBOX_SCENARIOS,
  ...SITUATION_SCENARIOS,
  ...LOOK_ALIKE_SCENARIOS,
];
