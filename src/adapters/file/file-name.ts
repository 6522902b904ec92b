/** File names of ids and keys that come from outside. */

import { createHash } from 'node:crypto';

/** No path, no name that a system reserves, and none that two ids share where case does not count. */
const PLAIN = /^(?!(con|prn|aux|nul|com\d|lpt\d)($|\.))[a-z0-9](?:[a-z0-9_.-]{0,118}[a-z0-9_-])?$/;

/** The id itself where it can be the name of a file everywhere, else `id-` and its SHA-256. */
export function fileNameOf(id: string): string {
  return PLAIN.test(id) ? id : `id-${createHash('sha256').update(id).digest('hex')}`;
}
