import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXAMPLE_FOLDER, exampleFiles } from '../../examples/generate.ts';

function shippedPaths(folder: string, prefix = ''): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? shippedPaths(join(folder, entry.name), `${prefix}${entry.name}/`)
      : [`${prefix}${entry.name}`],
  );
}

describe('the shipped example', () => {
  const files = exampleFiles();

  it('is what the generator makes, byte for byte and file for file', () => {
    expect(shippedPaths(EXAMPLE_FOLDER).sort()).toEqual(files.map((file) => file.path).sort());
    for (const file of files) {
      const shipped = readFileSync(join(EXAMPLE_FOLDER, ...file.path.split('/')));
      expect(shipped.equals(file.bytes), `${file.path} differs: run npm run example`).toBe(true);
    }
  });

  it('stays small', () => {
    const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
    expect(bytes).toBeLessThan(3_000_000);
    expect(files.length).toBeLessThanOrEqual(8);
  });

  it('names only domains and addresses that are set aside for examples', () => {
    const text = files.map((file) => file.bytes.toString('utf8')).join('\n');
    const domains = new Set(text.match(/@[a-z0-9.-]+\.[a-z]+/gi));
    expect(domains.size).toBeGreaterThan(50);
    for (const domain of domains) {
      expect(domain).toMatch(/(\.example|\.test|example\.(com|net|org)|@contoso\.onmicrosoft\.com)$/);
    }
    const addresses = new Set(text.match(/,\d+\.\d+\.\d+\.\d+,/g));
    expect(addresses.size).toBeGreaterThan(20);
    for (const address of addresses) expect(address).toMatch(/^,(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+,$/);
  });
});
