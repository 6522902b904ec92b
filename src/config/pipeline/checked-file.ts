/** A pipeline file whose shape is right, with the tenants of its tenant files. */

import type { Path } from './problem.ts';
import type { PipelineFileData, TenantFileData } from './schema.ts';
import type { YamlFile } from './yaml-file.ts';

/** A tenant and where it stands: in the pipeline or in a file of its own. */
export interface TenantEntry {
  file: YamlFile;
  at: Path;
  data: TenantFileData;
}

export interface CheckedFile {
  file: YamlFile;
  data: PipelineFileData;
  tenants: readonly TenantEntry[];
}
