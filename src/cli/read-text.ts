import { CloudvolError, messageOf } from '../base/errors.ts';

/** Keys, certificates and passphrases are smaller; `/dev/zero` is not. */
const MAX_BYTES = 256 << 10;

/**
 * All of a small stream as text.
 * @param name of what it is, for errors
 * @throws CloudvolError `usage/bad-file`
 */
export async function readText(stream: AsyncIterable<unknown>, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk as Uint8Array);
      length += bytes.length;
      if (length > MAX_BYTES) break;
      chunks.push(bytes);
    }
  } catch (error) {
    throw new CloudvolError('usage/bad-file', `${name} cannot be read: ${messageOf(error)}`, {
      hint: 'look at its name and mode',
      cause: error,
    });
  }
  if (length <= MAX_BYTES) return Buffer.concat(chunks).toString('utf8');
  throw new CloudvolError('usage/bad-file', `${name} has more than ${MAX_BYTES >> 10} KiB`, {
    hint: 'a key, a certificate or a passphrase is smaller',
  });
}
