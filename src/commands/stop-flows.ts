/** Cancels the flows that work on some resources, so that something else may. */
import { unendedFlows } from '../db/unended-flows.ts';
import type { Desk } from './desk.ts';

/** Long enough for a running program to be killed and its half-made file to be removed. */
const PATIENCE_MS = 15_000;

/** Resolves when no flow works on them any more, or when one does not let go in time: its hold then says so. */
export async function stopFlowsOf(desk: Desk, resources: readonly string[], reason: string): Promise<void> {
  const flows = await unendedFlows(desk.db.read, resources);
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const stops = flows.map(async ({ id }) => {
    if (await desk.engine.wish(id, 'cancel', reason)) await desk.engine.settled(id, patience).catch(() => undefined);
  });
  await Promise.all(stops);
}
