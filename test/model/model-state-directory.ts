import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let path: string | undefined;

/** Files that model volumes keep; gone with the test's process. */
export function modelStateDirectory(): string {
  if (path !== undefined) return path;
  const made = mkdtempSync(join(tmpdir(), 'cloudvol-model-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  path = made;
  return made;
}
