import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import type { ClusterId } from '../base/ids.ts';

/** machine-id(5): of an installed system, and not to be shown to others as it is. */
const MACHINE_ID = '/etc/machine-id';

/** Enough that no two hosts have the same. */
const HOST_ID_DIGITS = 32;

/**
 * Tells this host from others in a repository: one state directory on one machine. A state
 * directory that is copied to another machine makes another host.
 */
export function hostIdOf(clusterId: ClusterId, machineIdPath = MACHINE_ID): string {
  const machineId = readMachineId(machineIdPath);
  const digest = createHash('sha256').update(`cloudvol host ${clusterId} ${machineId}`);
  return digest.digest('hex').slice(0, HOST_ID_DIGITS);
}

function readMachineId(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    // Containers may have none: then the state directory alone tells.
    if (errnoOf(error) === undefined) throw error;
    return '';
  }
}
