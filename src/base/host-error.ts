import { CloudvolError, errnoOf, messageOf, type ErrorCode } from './errors.ts';

/** What the host itself can refuse to anybody: errno(3). */
const CAUSES: Readonly<Record<string, readonly [code: ErrorCode, words: string, hint: string]>> = {
  ENOSPC: [
    'host/no-space',
    'there is no space left on the device',
    'free space in the state directory',
  ],
  EDQUOT: ['host/no-space', 'the disk quota is used up', 'free space in the state directory'],
  EROFS: ['host/denied', 'the file system is read-only', 'see why the kernel made it so (dmesg)'],
  EACCES: ['host/denied', 'access was denied', 'run the agent as root'],
  EPERM: ['host/denied', 'the operation is not permitted', 'run the agent as root'],
  EIO: ['host/io-error', 'the disk failed', 'see the kernel log (dmesg), replace the disk'],
  EMFILE: ['host/too-many-files', 'the agent has too many files open', 'raise its LimitNOFILE'],
  ENFILE: ['host/too-many-files', 'the host has too many files open', 'raise fs.file-max'],
  ENOMEM: ['host/no-memory', 'there is no memory left', 'free memory, or raise its MemoryMax'],
};

/**
 * Tells a failure of the host from a mistake in the program: a system error that the caller had no
 * better words for becomes a CloudvolError `host/*`; everything else is returned as it is.
 */
export function translateHostError(error: unknown): unknown {
  if (error instanceof CloudvolError) return error;
  const [code, words, hint] = CAUSES[errnoOf(error) ?? ''] ?? [];
  if (!code) return error;
  return new CloudvolError(code, `${words} (${messageOf(error)})`, {
    ...(hint && { hint }),
    cause: error,
  });
}
