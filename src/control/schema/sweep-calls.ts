import { Type } from 'typebox';

import { bytes, closed, count, orNull, reference } from './shapes.ts';

export const SWEEP_CALLS = {
  sweepCloudsnaps: {
    input: closed({
      credential: Type.Optional(reference()),
      dryRun: Type.Optional(Type.Boolean()),
      takeover: Type.Optional(
        Type.Boolean({ description: 'also volumes that another host writes' }),
      ),
    }),
    output: closed({
      leftovers: Type.Array(
        closed({
          kind: Type.String({
            description: 'unfinished-deletion, dead-upload, orphan, stray-objects',
          }),
          cloudsnapId: Type.String(),
          volumeId: Type.String(),
          objects: count(),
          bytes: bytes(),
          outcome: Type.String({ description: 'found, removed, kept' }),
          note: orNull(Type.String({ description: 'why it was kept' })),
        }),
      ),
      listedObjects: count(),
      trialObjects: count(),
    }),
  },
} as const;
