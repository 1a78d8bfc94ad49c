/** What a flow does, in the few words that a table has room for. */
import type { Holder } from '../db/journal-holds.ts';
import type { FlowRow, Waiting } from '../engine/journal.ts';
import { percent } from './progress.ts';
import { shortId } from './short-id.ts';

/** Empty for one that has ended, and for one that runs and does not say. `holders`: what keeps it, when it waits. */
export function doingOf(
  { doing, wish, wishReason, owner, endedAt }: FlowRow,
  [holder, ...others]: readonly Holder[],
): string {
  if (endedAt !== null) return '';
  if (wish !== null) return `${wish} wished: ${wishReason}`;
  if (doing?.waiting !== undefined) return waitText(doing.waiting, doing.progress);
  if (doing !== null) return doing.progress === null ? doing.node : `${doing.node} ${percent(doing.progress)}`;
  if (holder !== undefined)
    return `waits for ${holder.name} ${shortId(holder.flowId)}${others.length > 0 ? ` and ${others.length} more` : ''}`;
  return owner === null ? 'waits' : '';
}

/** `waits at 41 % for its turn: 2nd of 5` */
export const waitText = ({ what, why }: Waiting, progress: number | null = null): string =>
  `waits${progress === null ? '' : ` at ${percent(progress)}`} for ${what}: ${why}`;
