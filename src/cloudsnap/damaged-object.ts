import { CloudvolError, hasCode } from '../base/errors.ts';
import { parseCloudsnapId } from '../format/cloudsnap-id.ts';
import type { DamagedObject } from './damage-register.ts';
import type { DamagedKind } from './verify/verify-report.ts';

/**
 * What an error of a read says about an object of the repository, for the register.
 * @returns undefined when it is no damage, or not damage of an object that a cloudsnap wrote
 */
export function damagedObjectOf(error: unknown, repositoryId: string): DamagedObject | undefined {
  if (!hasCode(error, 'cloudsnap/corrupt')) return undefined;
  const object = textOf(error.details?.['object']);
  const cloudsnapId = textOf(error.details?.['cloudsnapId']);
  const owner = object.slice(0, Math.max(object.lastIndexOf('/'), 0));
  const name = parseCloudsnapId(owner);
  const kind = kindOf(object.slice(owner.length + 1));
  if (!name || !kind) return undefined;
  const { volumeId } = name;
  const cloudsnaps = [...new Set([owner, cloudsnapId])].filter((id) => parseCloudsnapId(id));
  const finding = error.cause instanceof CloudvolError ? error.cause.message : error.message;
  return { repositoryId, volumeId, kind, object, owner, finding, cloudsnaps };
}

function kindOf(name: string): DamagedKind | undefined {
  return (['pack', 'index', 'root'] as const).find((kind) => name.startsWith(kind));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
