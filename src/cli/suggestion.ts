/** Mistypings that are still recognised: a third of the word, at least one letter. */
const MAX_DISTANCE_SHARE = 1 / 3;

/** The known word that was most likely meant, if any is near enough. */
export function suggestion(typed: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const word of known) {
    const isBeginning = typed.length > 1 && word.startsWith(typed);
    const distance = isBeginning ? 0 : editDistance(typed, word);
    const limit = Math.max(1, Math.floor(word.length * MAX_DISTANCE_SHARE));
    if (distance > limit || distance >= bestDistance) continue;
    best = word;
    bestDistance = distance;
  }
  return best;
}

/** Optimal string alignment distance: insert, delete, replace, swap neighbours. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let cost = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (isSame ? 0 : 1),
      );
      const isSwap =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
