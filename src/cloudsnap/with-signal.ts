/** The options of a call that may or may not be aborted: an absent signal is an absent property. */
export function withSignal(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {};
}
