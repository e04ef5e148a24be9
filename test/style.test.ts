import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { sourceFiles } from './support/source-files.ts';
import { styleFindings } from './support/style-rules.ts';

const ROOT = join(import.meta.dirname, '..');

test('every file keeps the style rules', async (t) => {
  const paths = (
    await Promise.all([
      ...['src', 'test', 'bench'].map((folder) => sourceFiles(ROOT, folder, '.ts')),
      ...['.cc', '.h', '.sh'].map((suffix) => sourceFiles(ROOT, 'native', suffix)),
      sourceFiles(ROOT, 'docs', '.md'),
    ])
  )
    .flat()
    // This file holds the bad examples.
    .filter((path) => path !== 'test/style.test.ts');
  t.true(paths.length > 20, `only ${paths.length} files were found`);
  const findings = await Promise.all(
    [...paths, 'README.md', 'CHANGELOG.md'].map(async (path) =>
      styleFindings(path, await readFile(join(ROOT, path), 'utf8')),
    ),
  );
  t.deepEqual(findings.flat(), []);
});

test('the lock file names no download addresses', async (t) => {
  t.notRegex(await readFile(join(ROOT, 'package-lock.json'), 'utf8'), /"resolved"/);
});

test('each style rule finds what it is there for', (t) => {
  const bad: readonly (readonly [path: string, source: string, finding: RegExp])[] = [
    ['src/a.ts', `// ${'→'.repeat(98)}\n`, /^src\/a\.ts:1: 101 columns/],
    ['src/a.ts', 'x();\n'.repeat(401), /^src\/a\.ts: 401 lines/],
    ['src/string-utils.ts', '', /choose another name/],
    ['src/volumeCatalog.ts', '', /choose another name/],
    ['src/common/a.ts', '', /choose another name/],
    ['src/a.ts', 'export class VolumeManager {}', /VolumeManager/],
    ['src/a.ts', 'export default 3;', /nothing is exported by default/],
    ['src/a.ts', 'const enum Colour {}', /no enums/],
    ['src/a.ts', '// TODO: later', /nothing is left to do/],
    ['test/a.test.ts', "test.only('x', () => {});", /runs alone/],
    ['docs/a.md', 'see /home/ann/notes', /speaks of itself/],
  ];
  for (const [path, source, finding] of bad) {
    t.regex(styleFindings(path, source).join('\n'), finding, `${path}: ${source.slice(0, 40)}`);
  }
  t.deepEqual(styleFindings('src/base/good-name.ts', `// ${'→'.repeat(97)}\nx();\n`), []);
});
