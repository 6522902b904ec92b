/** Archives files until it is killed; says which ones are safe. */

import { createArchive } from '../../../src/adapters/file/archive.ts';

const [folder, ...files] = process.argv.slice(2);
const archive = createArchive(folder);
process.stdout.write('archiving\n');
for (;;) {
  for (const file of files) {
    const { sha256 } = await archive.put('contoso', file);
    process.stdout.write(`${sha256}\n`);
  }
}
