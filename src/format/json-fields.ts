import type { JsonValue } from './canonical-json.ts';
import { corrupt } from './corrupt.ts';

type JsonObject = { readonly [key: string]: JsonValue };

/**
 * Takes a parsed JSON object apart by name; every method throws `format/corrupt` naming the field.
 */
export class JsonFields {
  readonly #object: JsonObject;
  readonly #path: string;

  /**
   * @param names all fields that the object has: one missing and one too many are both refused.
   * @param path where the object stands: `the manifest: volume`
   */
  constructor(value: JsonValue | undefined, path: string, names: readonly string[]) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw corrupt(`${path} is no object`);
    }
    this.#object = value as JsonObject;
    this.#path = path;
    const found = Object.keys(value);
    const stray = found.find((name) => !names.includes(name));
    if (stray !== undefined) throw corrupt(`${path} has an unknown field ${shown(stray)}`);
    const missing = names.find((name) => !found.includes(name));
    if (missing !== undefined) throw corrupt(`${path} lacks the field ${missing}`);
  }

  /** An integer from 0 to `max`. */
  count(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#object[name];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) {
      return value;
    }
    throw this.wrong(name);
  }

  text(name: string, isPossible: (text: string) => boolean): string {
    const value = this.#object[name];
    if (typeof value === 'string' && isPossible(value)) return value;
    throw this.wrong(name);
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#object[name];
    const choice = choices.find((each) => each === value);
    if (choice === undefined) throw this.wrong(name);
    return choice;
  }

  object(name: string, names: readonly string[]): JsonFields {
    return new JsonFields(this.#object[name], `${this.#path}: ${name}`, names);
  }

  /** A map of texts with at most `max` entries. */
  texts(
    name: string,
    max: number,
    isPossible: (text: string) => boolean,
  ): Readonly<Record<string, string>> {
    const value = this.#object[name];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(name);
    const entries = Object.entries(value);
    const isText = (entry: unknown) => typeof entry === 'string' && isPossible(entry);
    if (entries.length > max || !entries.flat().every(isText)) throw this.wrong(name);
    return value as Readonly<Record<string, string>>;
  }

  isNull(name: string): boolean {
    return this.#object[name] === null;
  }

  wrong(name: string): Error {
    return corrupt(`${this.#path} has a field ${name} that cannot be`);
  }
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
