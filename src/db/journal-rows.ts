/** A row of table `flow` mapped to the engine's `FlowRow`. */
import type { Doing, FlowRow, Wish } from '../engine/journal.ts';
import type { FlowTable } from './sql/schema.ts';

export function flowRow(row: FlowTable): FlowRow {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    lane: row.lane,
    state: row.state,
    input: JSON.parse(row.input) as FlowRow['input'],
    owner: row.owner,
    epoch: row.epoch,
    seq: row.seq,
    wish: row.wish as Wish | null,
    wishReason: row.wish_reason,
    claims: row.claims,
    doing: row.doing === null ? null : (JSON.parse(row.doing) as Doing),
    resource: row.resource,
    projectId: row.project_id,
    requestId: row.request_id,
    trace: row.trace,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    endedAt: row.ended_at,
  };
}
