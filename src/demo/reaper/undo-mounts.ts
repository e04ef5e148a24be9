import { existsSync, writeFileSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { readLoopDevices, type LoopDevice } from './loop-devices.ts';
import { readMounts, type Mount } from './mount-table.ts';
import { isBelow, type Registry } from './registry.ts';
import { runBounded } from './run-bounded.ts';

/** An unmount writes back what is cached; the volumes of tests and of the demo are small. */
const UMOUNT_LIMIT_MS = 10_000;
/** A loop device is released a moment after its last user. */
const SETTLE_MS = 50;
/** Each round undoes at least one layer of file system, loop device, FUSE file. */
const ROUNDS = 4;

/** Mounts of the registry that are still there; the innermost last. */
export function remainingMounts(registry: Registry): Mount[] {
  const devices = new Set(remainingLoops(registry).map(({ path }) => path));
  return readMounts().filter(
    ({ path, source }) =>
      registry.mounts.has(path) || devices.has(source) || isBelowAny(path, registry),
  );
}

/** Loop devices of the registry that still have the registered file behind them. */
export function remainingLoops(registry: Registry): LoopDevice[] {
  return readLoopDevices().filter(
    ({ path, backing }) => registry.loops.get(path) === backing || isBelowAny(backing, registry),
  );
}

/**
 * Unmounts and detaches, innermost first. First as a person would; what hangs is freed by
 * aborting its FUSE connection; only what is then still there is unmounted lazily.
 */
export async function undoMounts(registry: Registry): Promise<void> {
  for (const options of [[], ['--force'], ['--lazy']]) {
    if (options.length > 0) abortConnections(remainingMounts(registry));
    for (let round = 0; round < ROUNDS; round++) {
      const before = countRemaining(registry);
      if (before === 0) return;
      await undoOnce(registry, options);
      if (countRemaining(registry) === before) break;
    }
  }
}

async function undoOnce(registry: Registry, options: readonly string[]): Promise<void> {
  for (const { path } of remainingMounts(registry).toReversed()) {
    await runBounded('umount', [...options, '--', path], UMOUNT_LIMIT_MS);
  }
  for (const { path } of remainingLoops(registry)) {
    await runBounded('losetup', ['--detach', path], UMOUNT_LIMIT_MS);
  }
  if (remainingLoops(registry).length > 0) await systemClock.sleep(SETTLE_MS);
}

/**
 * Every request that waits for the server of such a mount fails: nothing can hang on it any more.
 */
function abortConnections(mounts: readonly Mount[]): void {
  for (const { type, minor } of mounts) {
    const abort = `/sys/fs/fuse/connections/${minor}/abort`;
    // Where fusectl is not mounted, `umount --force` does the same.
    if (type.startsWith('fuse') && existsSync(abort)) writeFileSync(abort, '1');
  }
}

function countRemaining(registry: Registry): number {
  return remainingMounts(registry).length + remainingLoops(registry).length;
}

function isBelowAny(path: string, registry: Registry): boolean {
  return [...registry.directories].some((directory) => isBelow(path, directory));
}
