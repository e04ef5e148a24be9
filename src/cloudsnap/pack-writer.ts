import { randomBytes } from 'node:crypto';
import type { ClusterId, VolumeId } from '../base/ids.ts';
import { FRAME_TAG_BYTES, frameBytes } from '../format/frame.ts';
import type { PackRef } from '../format/index-page.ts';
import { PackRecord, type JournaledFrame } from '../format/pack-record.ts';
import {
  PACK_HEADER_BYTES,
  PACK_ID_BYTES,
  PACK_TARGET_BYTES,
  encodePackHeader,
} from '../format/pack.ts';
import { codec } from '../native.ts';
import { packKey } from './object-keys.ts';
import { packPlace, type RootCipher } from './root-cipher.ts';
import type { UploadJournal } from './upload-journal.ts';
import type { Uploads } from './uploads.ts';

export interface PackWriterOptions {
  readonly clusterId: ClusterId;
  readonly volumeId: VolumeId;
  readonly snapName: string;
  readonly blockBytes: number;
  readonly uploads: Uploads;
  readonly cipher: RootCipher;
  /** Takes what has arrived; undefined where nobody could go on with it. */
  readonly journal: UploadJournal | undefined;
  /** A pack is closed when it has grown beyond this. Default: PACK_TARGET_BYTES. */
  readonly packTargetBytes?: number | undefined;
}

interface PackInTheMaking {
  readonly ref: PackRef;
  readonly bytes: Uint8Array;
  readonly record: PackRecord;
}

/**
 * Lays frames side by side and uploads a pack whenever one is full. One is assembled while others
 * are on their way; their memory is used again, so that there are as many buffers as uploads under
 * way and one more.
 */
export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #spare: Uint8Array[] = [];
  #pack: PackInTheMaking | undefined;
  #length = 0;
  #packs = 0;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /** Packs begun. */
  get packs(): number {
    return this.#packs;
  }

  /** Whether the pack has to be closed before the next frame. */
  get isFull(): boolean {
    return this.#length >= (this.#options.packTargetBytes ?? PACK_TARGET_BYTES);
  }

  /** Copies the frame; blocks come in ascending order. Not when the pack is full. */
  append(
    frame: Uint8Array,
    content: Omit<JournaledFrame, 'offsetBytes'>,
  ): { readonly pack: PackRef; readonly offsetBytes: number } {
    const pack = (this.#pack ??= this.#begin());
    const offsetBytes = this.#length;
    pack.bytes.set(frame, offsetBytes);
    this.#length += frame.length;
    pack.record.add({ ...content, offsetBytes });
    return { pack: pack.ref, offsetBytes };
  }

  /** Sends the pack off, if there is one; resolves when its upload has begun. */
  async close(): Promise<void> {
    const pack = this.#pack;
    if (!pack) return;
    const body = pack.bytes.subarray(0, this.#length);
    this.#pack = undefined;
    this.#length = 0;
    const { clusterId, volumeId, blockBytes, uploads, cipher, journal } = this.#options;
    const { ref, bytes, record } = pack;
    const packBytes = body.length;
    const seal = cipher.frames(packPlace(clusterId, { id: volumeId, blockBytes }, ref));
    // Once: the pack is let go of above, whatever becomes of this.
    if (seal) await codec().sealPack({ pack: body, ...seal });
    await uploads.start(packKey(clusterId, ref), body, {
      onStored: async () => journal?.append(record.encode(ref.packId, packBytes), packBytes),
      onSettled: () => this.#spare.push(bytes),
    });
  }

  #begin(): PackInTheMaking {
    const { volumeId, snapName, blockBytes } = this.#options;
    const packId = randomBytes(PACK_ID_BYTES).toString('hex');
    const bytes =
      this.#spare.pop() ??
      new Uint8Array(PACK_TARGET_BYTES + frameBytes(blockBytes + FRAME_TAG_BYTES));
    bytes.set(encodePackHeader({ packId, volumeId, blockBytes }));
    this.#length = PACK_HEADER_BYTES;
    this.#packs++;
    return { ref: { snapName, packId }, bytes, record: new PackRecord() };
  }
}
