import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { CloudvolError } from './errors.ts';

/** Result code of a lock that another holds, https://www.sqlite.org/rescode.html#busy. */
const SQLITE_BUSY = 5;

export interface DirectoryLock {
  release(): void;
}

/**
 * Makes this process the only user of a directory until `release` or its end, however it ends.
 *
 * The lock is a POSIX record lock on `<directory>/agent.lock`, taken through SQLite since Node
 * offers no flock: the kernel drops it with the process, so there is no pid to go stale; it belongs
 * to the file's inode, so bind mounts and containers with a network of their own (which an abstract
 * socket would not reach across) contend for the same lock. The file stays: removing it would let
 * two holders lock two inodes.
 * @throws CloudvolError `agent/already-running`
 */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(realpathSync(directory), 'agent.lock');
  const database = new DatabaseSync(path);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (!(error instanceof Error) || !('errcode' in error) || error.errcode !== SQLITE_BUSY)
      throw error;
    throw new CloudvolError('agent/already-running', `another agent is using ${directory}`, {
      hint: 'stop it first, or give this one a --state-dir and --runtime-dir of its own',
      cause: error,
    });
  }
  return { release: () => database.close() };
}
