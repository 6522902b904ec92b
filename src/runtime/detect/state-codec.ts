/** A tenant's sealed state as bytes: structured clones of plain data and typed arrays, compressed. */

import { deserialize, serialize } from 'node:v8';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { RelaywatchError } from '../../core/outcome.ts';
import type { TenantBase } from './tenant-detector.ts';

/** A state of another schema is not read: the walk it belongs to counts differently. */
const STATE_SCHEMA = 3;
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export function encodeBase(base: TenantBase): Uint8Array {
  return zstdCompressSync(serialize({ schema: STATE_SCHEMA, base }), COMPRESSION);
}

/** Throws a RelaywatchError (`checkpoint_schema`) for a state of another schema. */
export function decodeBase(bytes: Uint8Array): TenantBase {
  const { schema, base } = deserialize(zstdDecompressSync(bytes)) as { schema: number; base: TenantBase };
  if (schema === STATE_SCHEMA) return base;
  throw new RelaywatchError({
    code: 'checkpoint_schema',
    message: `the saved state has schema ${schema}, this worker reads ${STATE_SCHEMA}`,
    hint: 'run the version that wrote it, or start with an empty state and rescan the archive',
  });
}
