const HOUR_MS = 3600 * 1000;

/** How long a marked cloudsnap is left to the deletion that marked it. */
export const TOMBSTONE_REST_MS = 24 * HOUR_MS;

/**
 * No backup is at work for so long without storing a single object: a stalled one is ended after
 * minutes. For what was begun by an owner before the present one.
 */
export const LONGEST_BACKUP_MS = 24 * HOUR_MS;

/**
 * For what nobody can say who began it, or what the present owner began: as long as providers
 * recommend to keep unfinished uploads.
 */
export const IN_DOUBT_MS = 7 * 24 * HOUR_MS;

/** What tries out a store takes minutes at most. */
export const TRIAL_REST_MS = 24 * HOUR_MS;

/**
 * A volume's number is given up for what lies below it. Objects that claim a number further above
 * the volume's than this were put by no upload: to give it up would use up the volume's numbers.
 */
export const MAX_NUMBER_GAP = 1_000_000;

/** Between two requests that delete: a sweep is in no hurry, and others want the store, too. */
export const PAUSE_MS = 100;

/** Keys deleted at once where each is a request of its own. */
export const KEYS_WITHOUT_BATCH = 50;
