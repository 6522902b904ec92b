/**
 * Writes `dist/`: the sources with their types stripped and their imports renamed, for `npm pack`.
 * A clone needs no build; a package does, because Node does not strip types below `node_modules`.
 *
 * Stripping leaves blanks where the types were, so lines and columns in a stack trace are those of
 * the source. Files that are not TypeScript are copied.
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const source = path.join(root, 'src');
const target = path.join(root, 'dist');

/**
 * A relative specifier that ends in `.ts`, where a module can be named: after `from`, `import`,
 * `import(` and `new URL(`. The groups are what stands before the ending, and the closing quote.
 */
const specifier = /(\b(?:from|import)\s*\(?\s*|\bnew\s+URL\s*\(\s*)(['"])(\.{1,2}\/[^'"\n]+)\.ts\2/g;

rmSync(target, { recursive: true, force: true });
const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
const missing: string[] = [];
let stripped = 0;
for (const entry of files) {
  const from = path.join(entry.parentPath, entry.name);
  const to = path.join(target, path.relative(source, from));
  mkdirSync(path.dirname(to), { recursive: true });
  if (!entry.name.endsWith('.ts')) {
    cpSync(from, to);
    continue;
  }
  const code = stripTypeScriptTypes(readFileSync(from, 'utf8')).replace(
    specifier,
    (_, before: string, quote: string, name: string) => {
      if (!existsSync(path.resolve(path.dirname(from), `${name}.ts`))) {
        missing.push(`${path.relative(root, from)}: ${name}.ts`);
      }
      return `${before}${quote}${name}.js${quote}`;
    },
  );
  writeFileSync(to.replace(/\.ts$/, '.js'), code);
  stripped += 1;
}
if (missing.length > 0 || stripped === 0) {
  process.stderr.write(`Cannot build the package. Imports without a file: ${missing.join(', ') || 'none'}.\n`);
  process.stderr.write(`Sources read: ${stripped} of ${files.length} files in ${source}.\n`);
  process.exitCode = 1;
}
