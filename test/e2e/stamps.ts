/**
 * A workload that shows whether an image is the volume at one instant. One writer stamps slot after
 * slot, in a fixed order over and over, each stamp a number one higher than the last, each write
 * acknowledged before the next. So whatever the instant, the volume holds exactly the stamps 1 … k
 * for one k: slot s has the highest number ≤ k that falls on s. Run as a program, it writes.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/** Smaller than a block: a stamp is a part of a block, two slots share one. */
export const STAMP_BYTES = 32 << 10;
export const SLOTS = 2048;
/** Coprime to SLOTS: neighbours in time are far apart in the volume. */
const STRIDE = 739;

export const STAMPED_BYTES = SLOTS * STAMP_BYTES;

function slotOf(stamp: number): number {
  return (stamp * STRIDE) % SLOTS;
}

/** Writes stamps until it is ended. */
function writeForEver(path: string): void {
  const file = openSync(path, 'r+');
  const buffer = Buffer.allocUnsafe(STAMP_BYTES);
  const words = new Float64Array(buffer.buffer, buffer.byteOffset, STAMP_BYTES / 8);
  for (let stamp = 1; ; stamp++) {
    words.fill(stamp);
    writeSync(file, buffer, 0, STAMP_BYTES, slotOf(stamp) * STAMP_BYTES);
    // Once round: from here on every slot has been written.
    if (stamp === SLOTS) process.stdout.write('round\n');
  }
}

/** Reads all stamps. @throws when one slot holds parts of two writes. */
function readStamps(path: string): number[] {
  const file = openSync(path, 'r');
  const buffer = Buffer.allocUnsafe(STAMP_BYTES);
  const words = new Float64Array(buffer.buffer, buffer.byteOffset, STAMP_BYTES / 8);
  const stamps = Array.from({ length: SLOTS }, (_, slot) => {
    readSync(file, buffer, 0, STAMP_BYTES, slot * STAMP_BYTES);
    const [stamp = 0] = words;
    const odd = words.findIndex((word) => word !== stamp);
    if (odd >= 0)
      throw new Error(`slot ${slot} is torn: ${stamp}, and ${words[odd]} at ${odd * 8}`);
    return stamp;
  });
  closeSync(file);
  return stamps;
}

/**
 * The first sentences about why the stamps are of more than one instant; none if they are of one.
 */
export function checkInstant(stamps: readonly number[]): string[] {
  const last = stamps.reduce((highest, stamp) => Math.max(highest, stamp), 0);
  const expected = Array.from({ length: SLOTS }, () => 0);
  for (let stamp = Math.max(1, last - SLOTS + 1); stamp <= last; stamp++) {
    expected[slotOf(stamp)] = stamp;
  }
  return stamps.flatMap((stamp, slot) =>
    stamp === expected[slot]
      ? []
      : [`the instant is ${last}: slot ${slot} has ${stamp}, not ${expected[slot]}`],
  );
}

if (import.meta.main) {
  const [way, path = ''] = process.argv.slice(2);
  if (way === 'write') writeForEver(path);
  else process.stdout.write(JSON.stringify(readStamps(path)));
}
