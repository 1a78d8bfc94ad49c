/** A command that is refused leaves nothing: no row, no quota, no hold, no flow, no event, in no table. */
import assert from 'node:assert/strict';
import type { LiveSite } from '../flows/live-site.ts';

export interface Refusal {
  /** The error's name. */
  readonly name: string;
  /** HTTP. */
  readonly status: number;
  readonly message?: RegExp;
}

export async function refused(live: LiveSite, command: () => Promise<unknown>, refusal: Refusal): Promise<void> {
  const before = await everything(live);
  await assert.rejects(command, refusal);
  assert.deepEqual(await everything(live), before);
}

async function everything({ database: { reader } }: LiveSite): Promise<Readonly<Record<string, readonly unknown[]>>> {
  const tables = await reader.query<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  const rows: Record<string, readonly unknown[]> = {};
  for (const { name } of tables) rows[name] = await reader.query(`SELECT * FROM "${name}"`);
  return rows;
}
