import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import test from 'ava';

import { lockDirectory } from '../../src/base/directory-lock.ts';

const root = mkdtempSync(join(tmpdir(), 'cloudvol-lock-'));
test.after.always(() => rmSync(root, { recursive: true, force: true }));

const HOLDER = `
  const { lockDirectory } = await import(process.argv[1]);
  globalThis.lock = lockDirectory(process.argv[2]);
  process.stdout.write('locked');
  setInterval(() => {}, 60_000);
`;

async function holder(directory: string) {
  const module = join(import.meta.dirname, '../../src/base/directory-lock.ts');
  const args = ['--input-type=module', '--eval', HOLDER, module, directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('a directory has one holder, whatever path leads to it', (t) => {
  const directory = mkdtempSync(join(root, 'one-'));
  const link = join(root, 'link');
  symlinkSync(directory, link);
  const lock = lockDirectory(directory);
  t.throws(() => lockDirectory(directory), { code: 'agent/already-running' });
  t.throws(() => lockDirectory(link), { code: 'agent/already-running' });
  lock.release();
  lockDirectory(link).release();
});

test('another process is kept out until the holder is gone, however it went', async (t) => {
  const directory = mkdtempSync(join(root, 'killed-'));
  const child = await holder(directory);
  t.throws(() => lockDirectory(directory), { code: 'agent/already-running' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockDirectory(directory).release();
});
