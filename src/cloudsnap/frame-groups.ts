import assert from 'node:assert/strict';
import { frameBytes } from '../format/frame.ts';
import type { FrameRef, PackRef } from '../format/index-page.ts';

/** A block that is wanted, and the position in the result that it goes to. */
export interface WantedFrame {
  readonly block: number;
  readonly slot: number;
  readonly frame: FrameRef;
}

/** Frames of one pack that one request fetches. */
export interface FrameGroup {
  readonly pack: PackRef;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly frames: readonly WantedFrame[];
}

/** Bounds the memory of one read; longer runs gain nothing from being one request. */
export const MAX_GROUP_BYTES = 8 << 20;
/**
 * Bytes between two frames that are rather fetched and dropped than skipped by a second request:
 * what a connection carries in a few milliseconds, less than a round trip. Such gaps are blocks
 * that later cloudsnaps replaced.
 */
export const MAX_GAP_BYTES = 256 << 10;

/**
 * Groups wanted frames so that few requests fetch them; frames of a pack need to come ascending by
 * offset.
 */
export function groupFrames(wanted: Iterable<WantedFrame>): FrameGroup[] {
  const groups: FrameGroup[] = [];
  for (const ofPack of Map.groupBy(wanted, ({ frame }) => packName(frame.pack)).values()) {
    let group: WantedFrame[] = [];
    for (const next of ofPack) {
      if (group.length > 0 && !fits(group, next)) {
        groups.push(groupOf(group));
        group = [];
      }
      group.push(next);
    }
    groups.push(groupOf(group));
  }
  return groups;
}

function packName({ snapName, packId }: PackRef): string {
  return `${snapName}/${packId}`;
}

function endOf({ frame }: WantedFrame): number {
  return frame.offsetBytes + frameBytes(frame.payloadBytes);
}

function fits(group: readonly WantedFrame[], next: WantedFrame): boolean {
  const first = group.at(0);
  const last = group.at(-1);
  if (!first || !last) return true;
  const gapBytes = next.frame.offsetBytes - endOf(last);
  const lengthBytes = endOf(next) - first.frame.offsetBytes;
  return gapBytes >= 0 && gapBytes <= MAX_GAP_BYTES && lengthBytes <= MAX_GROUP_BYTES;
}

function groupOf(frames: readonly WantedFrame[]): FrameGroup {
  const first = frames.at(0);
  const last = frames.at(-1);
  assert(first && last, 'a group has frames');
  const { pack, offsetBytes } = first.frame;
  return { pack, offsetBytes, lengthBytes: endOf(last) - offsetBytes, frames };
}
