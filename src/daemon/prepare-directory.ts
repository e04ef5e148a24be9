import { mkdir, stat } from 'node:fs/promises';

import { CloudvolError, errnoOf, messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'start the agent as root, or choose a directory that you may write',
  EPERM: 'start the agent as root, or choose a directory that you may write',
  EROFS: 'its file system is read-only: choose another directory',
  ENOSPC: 'free space on its file system',
  ENOTDIR: 'a part of the path is a file: choose another directory',
  EEXIST: 'there is a file of that name: choose another directory',
};

/**
 * Makes a directory that only the agent's user may enter; one that is there keeps its mode.
 * @throws CloudvolError `agent/denied`, `agent/no-space`, `agent/bad-directory`
 */
export async function prepareDirectory(path: string, mode: number, log: Log): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode });
    const found = await stat(path);
    if ((found.mode & 0o022) !== 0) log.warn('directory.open-to-others', { path });
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    const code =
      errno === 'EACCES' || errno === 'EPERM'
        ? 'agent/denied'
        : errno === 'ENOSPC'
          ? 'agent/no-space'
          : 'agent/bad-directory';
    const message = `the agent cannot make the directory ${path}: ${messageOf(error)}`;
    throw new CloudvolError(code, message, {
      hint: HINTS[errno] ?? 'choose another directory',
      cause: error,
    });
  }
}
