import { CloudvolError } from './errors.ts';

/** A manifest holds no more, nor longer ones: what is taken here can be read from a cloudsnap. */
export const MAX_LABELS = 64;
const MAX_LABEL_BYTES = 255;

/**
 * Returns the labels when a volume or cloudsnap may have them.
 * @throws CloudvolError `volume/bad-labels`
 */
export function checkLabels(
  labels: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) throw bad(`${entries.length} labels are too many`);
  const isLong = (text: string) => Buffer.byteLength(text) > MAX_LABEL_BYTES;
  const long = entries.find((pair) => pair.some(isLong));
  if (long) throw bad(`the label ${JSON.stringify(long[0].slice(0, 40))} is too long`);
  const odd = entries.find((pair) => pair.some((text) => !text.isWellFormed()));
  if (odd) throw bad(`the label ${JSON.stringify(odd[0])} is no well-formed text`);
  return labels;
}

function bad(message: string): CloudvolError {
  return new CloudvolError('volume/bad-labels', message, {
    hint: `use at most ${MAX_LABELS} labels, each name and value of up to ${MAX_LABEL_BYTES} bytes`,
  });
}
