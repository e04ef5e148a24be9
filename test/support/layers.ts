import type { Import } from './import-graph.ts';

/** A row of the layer table: folders (or files) directly below `src/`, what they may import. */
export interface Layer {
  readonly names: readonly string[];
  /** `only`: these and the layer's own folder. `allBut`: every folder except these. */
  readonly imports: { readonly only: readonly string[] } | { readonly allBut: readonly string[] };
  readonly remark?: string;
}

/** Where a third-party package may be imported from. */
export interface PackageRule {
  readonly name: string;
  readonly importers: readonly string[];
  /** Type-only imports are allowed everywhere: they are gone when the program runs. */
  readonly typesAnywhere?: boolean;
}

/** The folder below `src/`, or the file itself if it lies directly there. */
export function layerOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** The table as docs/ARCHITECTURE.md prints it. */
export function layerTable(layers: readonly Layer[]): string {
  const rows = layers.map(({ names, imports, remark }) => {
    const allowed =
      'only' in imports ? imports.only.join(', ') || '–' : `all but ${imports.allBut.join(', ')}`;
    return `| ${names.join(', ')}${remark ? ` (${remark})` : ''} | ${allowed} |`;
  });
  return ['| folder | may import |', '|---|---|', ...rows].join('\n');
}

/** One sentence for each import that the layer table forbids, or whose folder it does not know. */
export function layerViolations(layers: readonly Layer[], imports: readonly Import[]): string[] {
  return imports
    .filter(({ isFile }) => isFile)
    .flatMap(({ from, to }) => {
      const [source, target] = [layerOf(from), layerOf(to)];
      if (source === target) return [];
      const layer = layers.find(({ names }) => names.includes(source));
      if (!layer) return [`src/${from}: ${source} is not in the layer table`];
      const allowed =
        'only' in layer.imports
          ? layer.imports.only.includes(target)
          : !layer.imports.allBut.includes(target);
      return allowed ? [] : [`src/${from} imports src/${to}: ${source} may not import ${target}`];
    });
}

/** One sentence for each import of a package from a place where it does not belong. */
export function packageViolations(
  rules: readonly PackageRule[],
  imports: readonly Import[],
): string[] {
  return imports
    .filter(({ isFile, to }) => !isFile && !to.startsWith('node:'))
    .flatMap(({ from, to, isType }) => {
      const rule = rules.find(({ name }) => to === name || to.startsWith(`${name}/`));
      if (!rule) return [`src/${from} imports ${to}, which the table of packages does not name`];
      const allowed =
        (isType && rule.typesAnywhere) ||
        rule.importers.some((place) => from === place || from.startsWith(`${place}/`));
      return allowed ? [] : [`src/${from} imports ${to}: only ${rule.importers.join(', ')} may`];
    });
}
