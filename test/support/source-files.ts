import { glob } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of the files below `root/folder` that end in `suffix`, relative to `root`, sorted. */
export async function sourceFiles(root: string, folder: string, suffix: string): Promise<string[]> {
  const files: string[] = [];
  for await (const path of glob(`**/*${suffix}`, { cwd: join(root, folder) })) {
    files.push(`${folder}/${path}`);
  }
  return files.sort();
}
