/**
 * A time of the store in milliseconds, cut to the second: listings may give more than headers can.
 * What has no time counts as new, so that nothing is removed for its age.
 */
export function wholeSecond(time: Date | undefined): number {
  const ms = time?.getTime() ?? Number.NaN;
  return Math.floor((Number.isNaN(ms) ? Date.now() : ms) / 1000) * 1000;
}
