/** When a task that failed is tried again. */
import { ANOTHER_TRY } from '../engine/journal.ts';
import type { Story } from '../engine/story.ts';
import type { RetryPolicy } from '../engine/task.ts';
import { FLOWS } from '../flows/registry.ts';
import { millis, type Timestamp, timestampOf } from '../lib/clock.ts';

/**
 * Not later than this; null when it does not wait for another try. The journal tells of the first tries, and of later ones only now and then:
 * of a pause that it does not tell of the longest is assumed.
 */
export function retryAt({ flow, steps, now }: Story): Timestamp | null {
  if (now?.waiting?.what !== ANOTHER_TRY) return null;
  const { backoffMs = 250, maxBackoffMs = 60_000 } = policyOf(flow, now.node) ?? {};
  const { since } = now.waiting;
  const last = steps.at(-1);
  const told = Math.min(backoffMs * 2 ** ((last?.tries ?? 1) - 1), maxBackoffMs);
  const isToldOf = last?.tries != null && last.node === now.node && millis(since) - millis(last.at) < told;
  return timestampOf(millis(since) + (isToldOf ? told : maxBackoffMs));
}

function policyOf({ name, version }: Story['flow'], path: string): RetryPolicy | undefined {
  const nodes = FLOWS.find((flow) => flow.name === name && flow.version === version)?.nodes ?? [];
  const tasks = nodes.flatMap((node) =>
    node.kind === 'task' ? [node] : node.kind === 'parallel' ? node.branches : [],
  );
  return tasks.find((task) => task.path === path)?.body.retry;
}
