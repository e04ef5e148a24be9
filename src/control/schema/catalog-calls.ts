import { Type } from 'typebox';

import { closed, count, reference, time } from './shapes.ts';

/** A thousand folders deep is deeper than PATH_MAX lets anybody name. */
const MAX_DEPTH = 4096;
/** A list that long has gigabytes; whoever wants more asks folder by folder. */
const MAX_ENTRIES = 100_000_000;
/** As many as fit on a command line. */
const MAX_PATHS = 4096;

/** A file as it lies in a cloudsnap. Owners are the numbers that the file system holds. */
export const fileEntry = closed({
  path: Type.String({ description: 'from the root of its file system, with a leading slash' }),
  pathBase64: Type.Optional(Type.String({ description: 'its bytes, when they are not UTF-8' })),
  type: Type.String({
    description: 'file, directory, symlink, fifo, socket, character-device, block-device',
  }),
  sizeBytes: Type.Number({ minimum: 0 }),
  mode: Type.String({ description: 'permission bits, four octal digits' }),
  uid: count(),
  gid: count(),
  links: Type.Number({ minimum: 0 }),
  modified: Type.String({ description: 'UTC in ISO 8601, to the nanosecond' }),
  target: Type.Optional(Type.String({ description: 'of a symlink' })),
  targetBase64: Type.Optional(Type.String({ description: 'its bytes, when they are not UTF-8' })),
});

export const catalogHead = closed({
  cloudsnapId: Type.String(),
  volumeName: Type.String(),
  created: time(),
  fileSystem: Type.String({ description: 'ext4 or xfs as it was found; none' }),
  content: Type.String({ description: 'what a volume without a file system seems to hold, or ""' }),
});

export const catalogEnd = closed({
  entries: count(),
  isTruncated: Type.Boolean({ description: 'there are more than were asked for' }),
});

export const CATALOG_CALLS = {
  catalogCloudsnap: {
    input: closed({
      cloudsnap: reference(),
      credential: Type.Optional(reference()),
      path: Type.Optional(Type.String({ maxLength: 4096, description: 'folder or file' })),
      depth: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_DEPTH })),
      max: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_ENTRIES })),
    }),
    // One line of the answer: the head first, then the entries, the end last.
    output: Type.Union([
      closed({ catalog: catalogHead }),
      closed({ entry: fileEntry }),
      closed({ end: catalogEnd }),
    ]),
  },
  extractCloudsnap: {
    input: closed({
      cloudsnap: reference(),
      credential: Type.Optional(reference()),
      paths: Type.Array(Type.String({ maxLength: 4096 }), { minItems: 1, maxItems: MAX_PATHS }),
    }),
    output: Type.String({ description: 'a tar archive in the format of POSIX.1-2001' }),
  },
} as const;
