/**
 * A database as it is after a long life: volumes and ended flows by the thousand, written with one statement a table. Ids of
 * volumes are scattered as random ones are, those of flows grow with time, and the counters are what a recount says.
 */
import { openDatabase } from '../src/db/database.ts';
import { recountPoolUsage } from '../src/db/pool-usage.ts';
import { recountUsage } from '../src/db/quota-recount.ts';
import { fromNow } from '../src/lib/clock.ts';
import { HOST, PROJECT, USER } from './subject.ts';

export interface Amounts {
  readonly volumes: number;
  readonly flows: number;
}

/** Steps in the journal of a flow that created a volume. */
const STEPS = 8;
/** Flows that one statement writes: a connection to PostgreSQL waits a minute for an answer, and no longer. */
const PIECE = 100_000;

export async function fill(url: string, { volumes, flows }: Amounts): Promise<void> {
  const database = await openDatabase(url, { as: 'server' });
  try {
    const { hex, digits } = database.dialect === 'sqlite' ? SQLITE : POSTGRESQL;
    const numbers = (to: number, from = 1): string =>
      `WITH RECURSIVE n (i) AS (SELECT CAST(${from} AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < ${to})`;
    // Multiplied by this, neighbours land far from each other.
    const id = (i: string): string =>
      `${hex(`(${i} * 2654435761) % 4294967296`)} || '-0000-4000-8000-' || ${digits(i, 12)}`;
    const flowId = (i: string): string =>
      `'01900000-' || substr(${digits(i, 12)}, 1, 4) || '-7000-8000-' || ${digits(i, 12)}`;
    // Long ago, but not so long that ended flows are forgotten.
    const day = fromNow(-10 * 86_400_000).slice(0, 10);
    const at = (i: string): string => `'${day}T00:00:00.' || ${digits(i, 6)}`;
    await database.write(async (tx) => {
      const execute = (statement: string): Promise<void> => tx.connection.run(statement);
      if (volumes > 0)
        await execute(`
          INSERT INTO volume (id, project_id, user_id, name, size_gib, status, attach_status, host, availability_zone,
            volume_type_id, bootable, multiattach, use_quota, metadata, admin_metadata, created_at, updated_at, scheduled_at,
            launched_at, revision)
          ${numbers(volumes)}
          SELECT ${id('i')}, '${PROJECT}', '${USER}', 'volume-' || i, 1, 'available', 'detached', '${HOST}#file', 'nova',
            (SELECT id FROM volume_type), 0, 0, 1, '{"purpose":"bench"}', '{}', ${at('i')}, ${at('i')}, ${at('i')}, ${at('i')}, 5
          FROM n`);
      for (let from = 1; from <= flows; from += PIECE) {
        const piece = numbers(Math.min(from + PIECE - 1, flows), from);
        await execute(`
          INSERT INTO flow (id, name, version, lane, state, input, epoch, seq, claims, resource, project_id, request_id,
            created_at, updated_at, ended_at)
          ${piece}
          SELECT ${flowId('i')}, 'create_volume', 1, 'host:${HOST}', 'success',
            '{"volumeId":"00000000-0000-4000-8000-000000000000","zones":["nova"],"image":null}', 1, ${STEPS}, 0,
            'volume:' || ${id(`(i % ${Math.max(volumes, 1)} + 1)`)}, '${PROJECT}', 'req-' || ${id('i')}, ${at('i')}, ${at('i')}, ${at('i')}
          FROM n`);
        await execute(`
          INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, started_at, at)
          ${piece}, step (seq) AS (SELECT 0 UNION ALL SELECT seq + 1 FROM step WHERE seq < ${STEPS - 1})
          SELECT ${flowId('i')}, seq, 'task_number_' || seq, 'done', 1, '{"name":"a result of this task"}', ${at('i')}, ${at('i')}
          FROM n, step`);
      }
    });
    await database.write(async (tx) => {
      await recountUsage(tx, PROJECT, { snapshotGigabytes: true });
      await recountPoolUsage(tx);
    });
    // As it does by itself after a while.
    if (database.dialect === 'postgresql') await database.write((tx) => tx.connection.run('ANALYZE'));
  } finally {
    await database.close();
  }
}

const SQLITE = {
  hex: (number: string): string => `printf('%08x', ${number})`,
  digits: (number: string, count: number): string => `printf('%0${count}d', ${number})`,
};
const POSTGRESQL = {
  hex: (number: string): string => `lpad(to_hex((${number})::bigint), 8, '0')`,
  digits: (number: string, count: number): string => `lpad((${number})::text, ${count}, '0')`,
};
