/**
 * Where secrets are kept. Names are shown in listings, values to nobody but their user.
 *
 * - `put` and `delete` are durable when they resolve, and all or nothing.
 * - A store that is locked throws `secrets/locked` from `get` and `put`; `list` and `delete` work.
 * - `delete` of a name that is not there is no error.
 */
export interface SecretStore {
  /** @throws CloudvolError `secrets/locked` where `get` and `put` would */
  checkUnlocked(): void;
  /**
   * undefined when there is no such secret.
   * @throws CloudvolError `secrets/locked`, `secrets/corrupt`
   */
  get(name: string): Promise<string | undefined>;
  /** @throws CloudvolError `secrets/locked` */
  put(name: string, value: string): Promise<void>;
  /** All of them or none. @throws CloudvolError `secrets/locked` */
  putAll(values: ReadonlyMap<string, string>): Promise<void>;
  /** Names, ascending. */
  list(): Promise<string[]>;
  delete(name: string): Promise<void>;
}
