/** What kind of server it is, and requests of `setup` and `doctor`: made once, with errors a person can act on. */

import type { Client } from '@elastic/elasticsearch';
import { RelaywatchError } from '../../core/outcome.ts';
import { failureOutcome } from './answers.ts';

export interface ServerVersion {
  number: string;
  /** Whether templates may say what becomes of the failure store: from 8.19, and from 9.1 on. */
  knowsFailureStore: boolean;
}

/** The oldest version whose data streams have a lifecycle for everybody (`template.lifecycle`). */
const OLDEST = [8, 14] as const;

export async function askVersion(client: Client, place: string): Promise<ServerVersion> {
  const { version } = await ask(() => client.info(), place);
  const [major, minor] = version.number.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new RelaywatchError({
      code: 'elasticsearch_too_old',
      message: `${place} has version ${version.number}`,
      hint: `Versions from ${OLDEST.join('.')} on are supported.`,
    });
  }
  const knowsFailureStore = major === 8 ? minor >= 19 : major > 9 || minor >= 1;
  return { number: version.number, knowsFailureStore };
}

/** One request. What would be waited for while documents are delivered is an error here. */
export async function ask<Result>(request: () => Promise<Result>, place: string): Promise<Result> {
  try {
    return await request();
  } catch (error) {
    const outcome = failureOutcome(error, place);
    if (outcome.kind === 'broken') throw outcome.error;
    throw new RelaywatchError(
      outcome.kind === 'wait'
        ? {
            code: 'elasticsearch_away',
            message: outcome.message,
            hint: 'Check that it runs and that the address is right, and try again.',
          }
        : {
            code: 'elasticsearch_refused',
            message: `${place} refused a request: ${'reason' in outcome ? outcome.reason : outcome.kind}`,
            hint: 'Check its version and its settings.',
          },
    );
  }
}
