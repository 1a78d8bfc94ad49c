/**
 * Why no pool would do, short enough to read.
 *
 * One line a filter, in the order the filters stand. Pools refused in the same words are named together; of many, a
 * few are named and the rest counted, so the text stays a paragraph whether there are three pools or three thousand.
 */

export interface Refusal {
  readonly filter: string;
  readonly pool: string;
  readonly reason: string;
}

const REASONS_SHOWN = 3;
const POOLS_SHOWN = 3;

export function explain(refusals: readonly Refusal[]): readonly string[] {
  if (refusals.length === 0) return ['No pool has been reported.'];
  const byFilter = Map.groupBy(refusals, ({ filter }) => filter);
  return [...byFilter].map(([filter, refused]) => `${filter} refused ${count(refused.length)}: ${reasonsOf(refused)}.`);
}

function reasonsOf(refused: readonly Refusal[]): string {
  const groups = [...Map.groupBy(refused, ({ reason }) => reason)]
    .map(([reason, group]) => ({ reason, pools: group.map(({ pool }) => pool).sort() }))
    .sort((a, b) => b.pools.length - a.pools.length || (a.reason < b.reason ? -1 : 1));
  const shown = groups.slice(0, REASONS_SHOWN).map(({ reason, pools }) => `${reason} (${named(pools)})`);
  const others = groups.slice(REASONS_SHOWN).reduce((sum, { pools }) => sum + pools.length, 0);
  if (others > 0) shown.push(`and ${count(others)} for like reasons`);
  return shown.join('; ');
}

function named(pools: readonly string[]): string {
  const more = pools.length - POOLS_SHOWN;
  return pools.slice(0, POOLS_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function count(pools: number): string {
  return pools === 1 ? '1 pool' : `${pools} pools`;
}
