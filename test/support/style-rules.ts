/** A rule on one source file; each finding is `path:line: sentence`. */
export interface StyleRule {
  readonly title: string;
  /** Paths, relative to the root, that the rule is about. */
  readonly applies: (path: string) => boolean;
  readonly find: (path: string, lines: readonly string[]) => readonly string[];
}

const MAX_COLUMNS = 100;
/**
 * A good reason beats the usual 300, none beats this: the longest file of a codebase only grows.
 */
const MAX_LINES = 400;

const isScript = (path: string) => path.endsWith('.ts');
const isSource = (path: string) => /\.(ts|cc|h)$/.test(path);
const isText = (path: string) => /\.(ts|cc|h|md|sh)$/.test(path);

export const STYLE_RULES: readonly StyleRule[] = [
  {
    title: `a line has at most ${MAX_COLUMNS} columns`,
    applies: isSource,
    find: eachLine((line) => (width(line) > MAX_COLUMNS ? `${width(line)} columns` : undefined)),
  },
  {
    title: `a file has at most ${MAX_LINES} lines`,
    applies: isSource,
    find: (path, lines) => (lines.length > MAX_LINES ? [`${path}: ${lines.length} lines`] : []),
  },
  {
    title: 'a file name is kebab-case and says what the file is about',
    applies: isScript,
    find: (path) => (nameSaysSomething(path) ? [] : [`${path}: choose another name`]),
  },
  {
    title: 'a name says what a thing is',
    applies: isScript,
    find: eachMatch(
      /\b(?:class|interface|type|function|const)\s+(\w*(?:Manager|Helpers?|Utils?))\b/,
    ),
  },
  {
    title: 'nothing is exported by default',
    applies: (path) => isScript(path) && !path.endsWith('.config.ts'),
    find: eachMatch(/^export default\b/),
  },
  {
    title: 'there are no enums',
    applies: isScript,
    find: eachMatch(/^(?:export )?(?:const )?enum\b/),
  },
  // The braces keep the rules from finding themselves.
  {
    title: 'nothing is left to do',
    applies: isText,
    find: eachMatch(/\b(?:TO{1}DO|FIX{1}ME|X{3})\b/),
  },
  {
    title: 'no test runs alone or is set aside',
    applies: (path) => path.endsWith('.test.ts'),
    find: eachMatch(/\btest(?:\.serial)?\.(?:only|todo|failing)\(/),
  },
  {
    title: 'the project speaks of itself, not of the machine it was written on',
    applies: isText,
    find: eachMatch(/(?<![\w.:])\/(?:home|root|Users|work{1})\/\w+/),
  },
];

/** Every finding of every rule on one file. */
export function styleFindings(path: string, source: string): readonly string[] {
  const lines = source.replace(/\n$/, '').split('\n');
  return STYLE_RULES.filter(({ applies }) => applies(path)).flatMap(({ title, find }) =>
    find(path, lines).map((finding) => `${finding} (${title})`),
  );
}

function eachLine(check: (line: string) => string | undefined): StyleRule['find'] {
  return (path, lines) =>
    lines.flatMap((line, index) => {
      const finding = check(line);
      return finding === undefined ? [] : [`${path}:${index + 1}: ${finding}`];
    });
}

function eachMatch(pattern: RegExp): StyleRule['find'] {
  return eachLine((line) => pattern.exec(line)?.[0]);
}

/** In code points, so that a `→` counts as one. */
function width(line: string): number {
  return Array.from(line).length;
}

function nameSaysSomething(path: string): boolean {
  const folders = path.split('/');
  const vague = /(?:^|-)(?:utils?|helpers?|managers?|common|misc)(?:[-.]|$)/;
  return (
    /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.config)?\.ts$/.test(folders.at(-1) ?? '') &&
    !folders.some((folder) => vague.test(folder))
  );
}
