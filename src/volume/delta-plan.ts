/** Which sealed deltas a volume has to keep, and which it may fold into one. Pure. */

export interface DeltaPlan {
  /** Nobody asks for them any more. */
  readonly drop: readonly number[];
  /** Neighbours that are always asked for together; the last of each group takes all its bits. */
  readonly fold: readonly (readonly number[])[];
}

/**
 * @param sealed epochs of the sealed deltas, ascending
 * @param bases epochs after which somebody may want the changes: of chains, pending commits, views
 */
export function planDeltas(sealed: readonly number[], bases: Iterable<number>): DeltaPlan {
  const cuts = [...new Set(bases)].sort((a, b) => a - b);
  const oldest = cuts[0];
  const kept = sealed.filter((epoch) => oldest !== undefined && epoch > oldest);
  const groups = Map.groupBy(kept, (epoch) => cuts.findLast((cut) => cut < epoch));
  return {
    drop: sealed.filter((epoch) => !kept.includes(epoch)),
    fold: [...groups.values()].filter((group) => group.length > 1),
  };
}
