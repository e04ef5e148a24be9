import { lstat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { CloudvolError, errnoOf } from '../../base/errors.ts';

/** What is fetched, and where it will lie. */
export interface Target {
  /** From the root of the backup, without a leading slash; '' is the root itself. */
  readonly source: string;
  /** Of the root, its files: they come to lie in the directory themselves. */
  readonly path: string;
}

/**
 * Each path comes to lie in the directory under its last name.
 * @throws CloudvolError `usage/bad-path` for paths that are no such, that lie in each other, or
 * that have the same last name
 */
export function targetsOf(paths: readonly string[], directory: string): Target[] {
  const targets = paths.map((path) => {
    const source = normalized(path);
    return { source, path: join(directory, posix.basename(source)) };
  });
  for (const [index, { source, path }] of targets.entries()) {
    for (const other of targets.slice(0, index)) {
      if (isBelow(source, other.source)) throw overlap(source, other.source);
      if (isBelow(other.source, source)) throw overlap(other.source, source);
      if (path === other.path) throw sameName(source, other.source);
    }
  }
  return targets;
}

function normalized(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (!names.includes('..') && path !== '') return names.join('/');
  throw new CloudvolError('usage/bad-path', `--path ${JSON.stringify(path)} names no file`, {
    hint: "write it from the root of the backup, without '..'",
  });
}

function isBelow(source: string, other: string): boolean {
  return source === other || other === '' || source.startsWith(`${other}/`);
}

function overlap(inner: string, outer: string): CloudvolError {
  const message = `--path /${inner} comes with --path /${outer} already`;
  return new CloudvolError('usage/bad-path', message, { hint: 'name each file once' });
}

function sameName(one: string, other: string): CloudvolError {
  const message = `/${one} and /${other} would lie in the same place`;
  return new CloudvolError('usage/bad-path', message, { hint: 'fetch them one after the other' });
}

/** @throws CloudvolError `extract/exists`: nothing is overwritten, a link is not followed */
export async function requireFree(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  throw new CloudvolError('extract/exists', `${path} is there already`, {
    hint: 'name another directory with --to, or move it away',
  });
}
