import { CloudvolError } from '../base/errors.ts';

const FILE_SYSTEMS = ['ext4', 'xfs', 'none'] as const;

/** @throws CloudvolError `usage/bad-file-system` */
export function parseFileSystem(text: string): (typeof FILE_SYSTEMS)[number] {
  const found = FILE_SYSTEMS.find((known) => known === text);
  if (found) return found;
  throw new CloudvolError('usage/bad-file-system', `--fs ${text} is not known`, {
    hint: `use one of ${FILE_SYSTEMS.join(', ')}`,
  });
}
