/**
 * The version of everything that lies in the bucket: what this program writes, and the only one
 * that it reads.
 */
export const FORMAT_VERSION = 1;
