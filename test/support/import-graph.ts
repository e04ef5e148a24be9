import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { parseSync } from 'oxc-parser';
import { sourceFiles } from './source-files.ts';

/** One import or re-export, static or dynamic. */
export interface Import {
  /** Path of the importing file, relative to `src/`. */
  readonly from: string;
  /** Path relative to `src/` for a file of the project, else the bare specifier (`node:fs`). */
  readonly to: string;
  readonly isFile: boolean;
  /** Erased when the program runs. */
  readonly isType: boolean;
}

/** Every import of every file below `src/`. */
export async function readImports(root: string): Promise<Import[]> {
  const files = await sourceFiles(root, 'src', '.ts');
  const perFile = await Promise.all(
    files.map(async (path) => importsOf(path.slice('src/'.length), await readFile(path, 'utf8'))),
  );
  return perFile.flat();
}

/**
 * @param from path relative to `src/`.
 * @throws when the source cannot be parsed, or imports something by a computed name: a check that
 *   skips what it cannot read would pass by accident.
 */
export function importsOf(from: string, source: string): Import[] {
  const { module, errors } = parseSync(from, source);
  const [error] = errors;
  if (error) throw new Error(`${from} cannot be parsed: ${error.message}`);
  const found: Import[] = [];
  const add = (specifier: string, isType: boolean) => {
    const isFile = specifier.startsWith('.');
    const to = isFile ? posix.join(posix.dirname(from), specifier) : specifier;
    found.push({ from, to, isFile, isType });
  };
  for (const { moduleRequest, entries } of module.staticImports) {
    add(moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType));
  }
  for (const { moduleRequest, isType } of module.staticExports.flatMap((one) => one.entries)) {
    if (moduleRequest) add(moduleRequest.value, isType);
  }
  for (const { moduleRequest } of module.dynamicImports) {
    add(literalOf(from, source.slice(moduleRequest.start, moduleRequest.end)), false);
  }
  return found;
}

function literalOf(from: string, expression: string): string {
  const literal = /^(['"`])([^'"`$]+)\1$/.exec(expression)?.[2];
  if (literal === undefined) throw new Error(`${from} imports the computed name ${expression}`);
  return literal;
}

/**
 * The first cycle among the files, as a path that ends where it began; undefined if there is none.
 */
export function findCycle(imports: readonly Import[]): string[] | undefined {
  const targets = new Map<string, string[]>();
  for (const { from, to, isFile } of imports) {
    if (isFile) targets.set(from, [...(targets.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const target of targets.get(file) ?? []) {
      const cycle = visit(target);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}
