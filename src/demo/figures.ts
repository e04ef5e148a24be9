import { formatByteSize } from '../base/byte-size.ts';
import { CloudvolError } from '../base/errors.ts';
import type { TaskView } from '../control/schemas.ts';
import type { StepFigures } from './step-table.ts';
import type { TreeEntry } from './tree/digest-tree.ts';

/** Differences that an error names: the first ones, the rest by number. */
const SHOWN_DIFFERENCES = 5;

export function backupFigures({ result, cloudsnapId }: TaskView): StepFigures {
  const bytes = (name: string) => formatByteSize(numberOf(result, name));
  return {
    bytes: numberOf(result, 'storedBytes'),
    remark:
      `${result['kind']} ${cloudsnapId}: ${bytes('changedBytes')} changed, ` +
      `${bytes('uploadedBytes')} uploaded as ${bytes('storedBytes')}`,
  };
}

export function restoreFigures({ result }: TaskView): StepFigures {
  return { bytes: numberOf(result, 'hydratedBytes') };
}

export function digestFigures(entries: readonly TreeEntry[]): StepFigures {
  const files = entries.filter(({ kind }) => kind === 'file');
  return { bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** @throws `demo/different` that names the first differences. */
export function requireEqual(differences: readonly string[], what: string): void {
  if (differences.length === 0) return;
  const shown = differences.slice(0, SHOWN_DIFFERENCES).join('; ');
  const more = differences.length - SHOWN_DIFFERENCES;
  throw new CloudvolError(
    'demo/different',
    `${what} differ from what was backed up: ${shown}${more > 0 ? `; and ${more} more` : ''}`,
  );
}

function numberOf(result: TaskView['result'], name: string): number {
  const value = result[name];
  if (typeof value === 'number') return value;
  throw new CloudvolError('demo/no-figure', `a task ended without saying its ${name}`);
}
