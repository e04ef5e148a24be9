import { constants } from 'node:os';
import { CloudvolError, errnoOf, messageOf, type ErrorCode } from '../base/errors.ts';

/** What can befall a volume's files on this host: errno(3). */
const CAUSES: Readonly<Record<string, readonly [code: ErrorCode, words: string, hint: string]>> = {
  ENOSPC: [
    'volume/no-space',
    'there is no space left on this host',
    'free space in the state directory and in the runtime directory',
  ],
  EDQUOT: [
    'volume/no-space',
    'the disk quota of this host is used up',
    'free space in the state directory, or raise the quota',
  ],
  EIO: [
    'volume/io-error',
    'the disk failed',
    'see the kernel log (dmesg), replace the disk, and restore the volume from a cloudsnap',
  ],
  EBADMSG: [
    'volume/corrupt',
    'its bits are damaged',
    'restore it from a cloudsnap, or its folder from a copy',
  ],
};

/**
 * What the addon said, in words about the volume: a CloudvolError for whatever the host does to it;
 * mistakes of the program are returned as they are.
 * @param what a participle, such as `written`
 */
export function overlayError(error: unknown, volumeName: string, what: string): unknown {
  if (error instanceof CloudvolError) return error;
  const [code, words, hint] = CAUSES[errnoOf(error) ?? ''] ?? [];
  if (!code) return error;
  return new CloudvolError(code, `volume ${volumeName} could not be ${what}: ${words}`, {
    ...(hint && { hint }),
    cause: error,
  });
}

/** As above, for opening: whatever the system refuses is about the volume's files. */
export function openingError(error: unknown, volumeName: string): unknown {
  const explained = overlayError(error, volumeName, 'opened');
  if (explained instanceof CloudvolError || errnoOf(error) === undefined) return explained;
  return new CloudvolError(
    'volume/not-opened',
    `volume ${volumeName} could not be opened: ${messageOf(error)}`,
    {
      hint: 'see that its folder in the state directory is whole and can be written',
      cause: error,
    },
  );
}

/** For an instant that could not be taken; nothing is lost by that but the cloudsnap. */
export function freezingError(error: unknown, volumeName: string): unknown {
  switch (errnoOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return overlayError(error, volumeName, 'frozen');
    case 'EMFILE':
      return new CloudvolError(
        'volume/too-many-views',
        `volume ${volumeName} holds as many instants as it can`,
        { hint: 'wait until one of its cloudsnaps is done', cause: error },
      );
    case 'EBADMSG':
      return bitsLost(volumeName, error);
    case undefined:
      return error;
    default:
      return new CloudvolError(
        'volume/not-frozen',
        `volume ${volumeName} could not be frozen: ${messageOf(error)}`,
        {
          hint: 'see that the state and runtime directories have space left and can be written',
          cause: error,
        },
      );
  }
}

/** For an incremental that cannot be planned: the next one will be a full. */
export function bitsLost(volumeName: string, cause?: unknown): CloudvolError {
  return new CloudvolError(
    'volume/bits-lost',
    `what changed in volume ${volumeName} since its last cloudsnap is no longer known`,
    { hint: 'take the cloudsnap again: it will be a full one', cause },
  );
}

/** The errno value that a program gets whose request failed by this error. */
export function errnoFor(error: unknown): number {
  const cause = error instanceof CloudvolError ? error.cause : error;
  const known: Readonly<Record<string, number>> = constants.errno;
  return known[errnoOf(cause) ?? 'EIO'] ?? constants.errno.EIO;
}
