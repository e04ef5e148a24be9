import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { findCycle, importsOf, readImports } from './support/import-graph.ts';
import {
  layerTable,
  layerViolations,
  packageViolations,
  type Layer,
  type PackageRule,
} from './support/layers.ts';
import { sourceFiles } from './support/source-files.ts';

const ROOT = join(import.meta.dirname, '..');

/** Imports go down only. docs/ARCHITECTURE.md prints this table. */
const LAYERS: readonly Layer[] = [
  { names: ['base'], imports: { only: [] } },
  { names: ['config', 'format', 'crypto', 'native.ts'], imports: { only: ['base'] } },
  { names: ['store', 'control'], imports: { only: ['base', 'config'] } },
  { names: ['volume'], imports: { only: ['base', 'format', 'native.ts'] } },
  { names: ['cloudsnap'], imports: { only: ['base', 'format', 'crypto', 'store', 'native.ts'] } },
  { names: ['secrets'], imports: { only: ['base', 'config', 'crypto'] } },
  { names: ['tasks'], imports: { only: ['base'] } },
  {
    names: ['backup', 'restore'],
    remark: 'never each other',
    imports: { only: ['base', 'format', 'volume', 'cloudsnap', 'tasks'] },
  },
  { names: ['catalog'], imports: { only: ['base', 'native.ts', 'volume'] } },
  { names: ['frontend'], imports: { only: ['base', 'native.ts', 'volume'] } },
  { names: ['daemon'], imports: { allBut: ['cli', 'demo'] } },
  { names: ['demo'], imports: { only: ['base', 'config', 'control'] } },
  { names: ['cli'], imports: { only: ['base', 'config', 'control', 'demo'] } },
];

const PACKAGES: readonly PackageRule[] = [
  { name: 'yargs-parser', importers: ['cli'] },
  { name: 'fastify', importers: ['control'], typesAnywhere: true },
  { name: 'typebox', importers: ['control'], typesAnywhere: true },
  { name: '@aws-sdk/client-s3', importers: ['store'] },
  { name: '@azure/identity', importers: ['store'] },
  { name: '@azure/storage-blob', importers: ['store'] },
  { name: '@google-cloud/storage', importers: ['store'] },
  { name: 'lru-cache', importers: ['cloudsnap', 'restore'] },
];

const imports = await readImports(ROOT);

test('the source is read: every folder is seen', (t) => {
  t.true(imports.length > 20, `only ${imports.length} imports were found`);
});

test('imports go down the layers only', (t) => {
  t.deepEqual(layerViolations(LAYERS, imports), []);
});

test('no file imports itself through others', (t) => {
  t.is(findCycle(imports)?.join(' → '), undefined);
});

test('each third-party package is imported only where it belongs', (t) => {
  t.deepEqual(packageViolations(PACKAGES, imports), []);
});

test('only src/native.ts loads the addon', async (t) => {
  const paths = await sourceFiles(ROOT, 'src', '.ts');
  const sources = await Promise.all(paths.map((path) => readFile(join(ROOT, path), 'utf8')));
  const loaders = paths.filter((_, index) => /\.node['"`]/.test(sources[index] ?? ''));
  t.deepEqual(
    loaders.filter((path) => path !== 'src/native.ts'),
    [],
  );
});

test('docs/ARCHITECTURE.md prints the layer table that is held', async (t) => {
  const document = await readFile(join(ROOT, 'docs/ARCHITECTURE.md'), 'utf8');
  t.true(document.includes(layerTable(LAYERS)), `expected this table:\n${layerTable(LAYERS)}`);
});

test('the check refuses an import that goes up, and a folder that it does not know', (t) => {
  const up = importsOf('base/bad.ts', `import type { Volume } from '../volume/volume.ts';`);
  t.deepEqual(layerViolations(LAYERS, up), [
    'src/base/bad.ts imports src/volume/volume.ts: base may not import volume',
  ]);
  const sideways = importsOf('backup/bad.ts', `export { hydrate } from '../restore/hydrate.ts';`);
  t.is(layerViolations(LAYERS, sideways).length, 1);
  const lazily = importsOf('daemon/bad.ts', `await import('../cli/main.ts');`);
  t.is(layerViolations(LAYERS, lazily).length, 1);
  const unknown = importsOf('misc/bad.ts', `import '../base/errors.ts';`);
  t.deepEqual(layerViolations(LAYERS, unknown), [
    'src/misc/bad.ts: misc is not in the layer table',
  ]);
});

test('the check finds a cycle over several files', (t) => {
  const cycle = [
    ...importsOf('base/a.ts', `import { b } from './b.ts';`),
    ...importsOf('base/b.ts', `import { c } from './deep/c.ts';`),
    ...importsOf('base/deep/c.ts', `import { a } from '../a.ts';`),
  ];
  t.deepEqual(findCycle(cycle), ['base/a.ts', 'base/b.ts', 'base/deep/c.ts', 'base/a.ts']);
});

test('the check refuses a package in the wrong folder, an unknown one, a computed name', (t) => {
  const wrong = importsOf('base/bad.ts', `import parse from 'yargs-parser';`);
  t.deepEqual(packageViolations(PACKAGES, wrong), [
    'src/base/bad.ts imports yargs-parser: only cli may',
  ]);
  const types = importsOf('daemon/good.ts', `import type { Static } from 'typebox';`);
  t.deepEqual(packageViolations(PACKAGES, types), []);
  const unknown = importsOf('base/bad.ts', `import _ from 'lodash';`);
  t.is(packageViolations(PACKAGES, unknown).length, 1);
  t.throws(() => importsOf('base/bad.ts', 'await import(name);'), { message: /computed name/ });
});
