/**
 * Freezes an encrypted repository in test/golden/format-v1-encrypted, once: see write-format-v1.ts.
 *
 *   bin/node test/golden/write-format-v1-encrypted.ts
 */
import { join } from 'node:path';
import { freezeRepository } from './freeze-repository.ts';

await freezeRepository(join(import.meta.dirname, 'format-v1-encrypted'), {
  passphrase: 'frozen: pass phrase \u00e4',
});
