type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** The fields that have a value: what was not said on the command line is not said to the agent. */
export function given<T extends object>(fields: T): Given<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Given<T>;
}
