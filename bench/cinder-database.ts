/** A Cinder as the import's figures want it: of so many volumes, made on the server itself, with a user that has lost the right to write. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';

export const nameOf = (volumes: number): string => `cinder_${volumes}`;
/** As whom it wrote. */
export const FROZEN = 'frozen_cinder';

/** Of each volume three attachments, half a snapshot, three rows of metadata; of each living row two deleted ones. */
export async function cinderOf(url: string, volumes: number): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, multipleStatements: true });
  const schema = readFileSync(join(import.meta.dirname, '..', 'test', 'import', 'fixtures', 'zed-mysql.sql'), 'utf8');
  await connection.query(`CREATE DATABASE ${nameOf(volumes)} DEFAULT CHARACTER SET utf8mb3; USE ${nameOf(volumes)};
    SET foreign_key_checks = 0; SET unique_checks = 0; ${schema}`);
  const uuid = (kind: string): string =>
    `CONCAT(LEFT(MD5(CONCAT('${kind}', seq)), 8), '-0000-4000-8000-', LPAD(seq, 12, '0'))`;
  const stamps = "'2025-01-01 00:00:00' + INTERVAL seq SECOND, '2025-02-01 00:00:00'";
  const project = "LPAD(HEX(seq % 200), 32, '0')";
  const [type] = (await connection.query('SELECT id FROM volume_types LIMIT 1'))[0] as { id: string }[];
  const rows = (table: string, columns: string, values: string, count: number, from = 1): Promise<unknown> =>
    connection.query(`INSERT INTO \`${table}\` (${columns}) SELECT ${values} FROM seq_${from}_to_${from + count - 1}`);
  for (const [deleted, count, from] of [
    [0, volumes, 1],
    [1, volumes * 2, 10_000_001],
  ] as const) {
    await rows(
      'volumes',
      'created_at, updated_at, deleted, id, user_id, project_id, host, size, availability_zone, status, attach_status, display_name, volume_type_id, bootable, multiattach, use_quota',
      `${stamps}, ${deleted}, ${uuid('v')}, ${project}, ${project}, 'control1@rbd1#file', 1 + seq % 50, 'nova', 'in-use', 'attached', CONCAT('volume ', seq), '${type?.id}', 0, 1, 1`,
      count,
      from,
    );
    for (const key of ['a', 'b', 'c'])
      await rows(
        'volume_metadata',
        'created_at, updated_at, deleted, volume_id, `key`, value',
        `${stamps}, ${deleted}, ${uuid('v')}, '${key}', CONCAT('value ', seq)`,
        count / (deleted + 1),
        from,
      );
    for (const each of [1, 2, 3])
      await rows(
        'volume_attachment',
        'created_at, updated_at, deleted, id, volume_id, instance_uuid, attached_host, mountpoint, attach_mode, attach_status, connector, connection_info',
        `${stamps}, ${deleted}, ${uuid(`t${each}`)}, ${uuid('v')}, ${uuid('i')}, 'compute1', '/dev/vdb', 'rw', 'attached', '{"host": "compute1", "ip": "192.0.2.1"}',
         CONCAT('{"name": "volumes/volume-', ${uuid('v')}, '", "hosts": ["192.0.2.21"], "ports": ["6789"], "auth_username": "cinder", "driver_volume_type": "rbd"}')`,
        count,
        from,
      );
    await rows(
      'snapshots',
      'created_at, updated_at, deleted, id, volume_id, user_id, project_id, status, progress, volume_size, volume_type_id, use_quota',
      `${stamps}, ${deleted}, ${uuid('s')}, ${uuid('v')}, ${project}, ${project}, 'available', '100%', 1, '${type?.id}', 1`,
      Math.trunc(count / 2),
      from,
    );
  }
  await connection.query(
    `CREATE USER IF NOT EXISTS ${FROZEN}@127.0.0.1; GRANT SELECT ON ${nameOf(volumes)}.* TO ${FROZEN}@127.0.0.1`,
  );
  await connection.end();
}
