import { Type } from 'typebox';

import {
  absentTimeout,
  closed,
  fileSystem,
  hydrationRate,
  labels,
  nothing,
  reference,
  text,
} from './shapes.ts';
import { volumeView } from './views.ts';

const volumeInput = closed({ volume: reference() });

export const VOLUME_CALLS = {
  createVolume: {
    input: closed({
      name: text(),
      sizeBytes: Type.Integer(),
      blockBytes: Type.Optional(Type.Integer()),
      fileSystem: Type.Optional(fileSystem()),
      labels: Type.Optional(labels()),
    }),
    output: volumeView,
  },
  listVolumes: { input: nothing, output: Type.Array(volumeView) },
  inspectVolume: { input: volumeInput, output: volumeView },
  deleteVolume: { input: volumeInput, output: nothing },
  attachVolume: {
    input: closed({ volume: reference(), loop: Type.Optional(Type.Boolean()) }),
    output: volumeView,
  },
  detachVolume: { input: volumeInput, output: volumeView },
  mountVolume: { input: closed({ volume: reference(), path: reference() }), output: volumeView },
  hydrateVolume: {
    input: closed({
      volume: reference(),
      active: Type.Optional(Type.Boolean({ description: 'false pauses, true resumes' })),
      rateBytesPerSecond: Type.Optional(hydrationRate()),
      absentTimeoutSeconds: Type.Optional(absentTimeout()),
    }),
    output: volumeView,
  },
  unmountVolume: { input: volumeInput, output: volumeView },
} as const;
