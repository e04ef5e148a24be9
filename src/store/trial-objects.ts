/**
 * Where objects lie that only find out what a store can do: below no repository's root, and gone
 * after moments unless their process was killed.
 */
export const PROBE_PREFIX = '.cloudvol-probe/';
export const VALIDATE_PREFIX = '.cloudvol-validate/';
