import { Type, type TProperties } from 'typebox';

const closed = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
const count = () => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** What a verification found: VerifyReport, as it travels. */
export const verificationView = closed({
  cloudsnapId: Type.String(),
  volumeId: Type.String(),
  percent: Type.Integer(),
  seed: Type.Integer({ description: 'gives the same sample again' }),
  packs: count(),
  pages: count(),
  blocks: Type.Integer({ minimum: 0, description: 'that have data' }),
  blocksRead: count(),
  bytesRead: count(),
  damage: Type.Array(
    closed({
      kind: Type.String({ description: 'manifest, root, index, pack' }),
      object: Type.String({ description: 'its key' }),
      owner: Type.String({ description: 'the cloudsnap that wrote it' }),
      finding: Type.String(),
      pages: Type.Array(count()),
      blocks: Type.Array(closed({ firstBlock: count(), blockCount: count() })),
      blockCount: Type.Integer({ minimum: 0, description: 'all, listed or not' }),
      cloudsnaps: Type.Array(Type.String({ description: 'that it hurts' })),
    }),
  ),
});
