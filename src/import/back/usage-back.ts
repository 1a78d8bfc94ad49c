/** Usage as it is counted here; nothing is reserved, since no flow is unfinished. */
import type { Database } from '../../db/database.ts';
import { allRowsOf } from '../../db/exported-rows.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { BackWriter } from './back-writer.ts';

export async function writeUsage(cinder: CinderDatabase, writer: BackWriter, { read }: Database): Promise<void> {
  const nameOf = (projectId: unknown, resource: unknown): string => `${projectId} ${resource}`;
  const counted = new Map(
    (await allRowsOf(read, 'quota_usage')).map((row) => [nameOf(row.project_id, row.resource), row]),
  );
  const known = new Set<string>();
  for await (const rows of cinder.living('quota_usages'))
    for (const { id, project_id, resource, in_use, reserved } of rows) {
      const name = nameOf(project_id, resource);
      known.add(name);
      const wanted = Number(counted.get(name)?.in_use ?? 0);
      if (wanted !== in_use || reserved !== 0)
        await writer.update('quota_usages', { id }, { in_use: wanted, reserved: 0, updated_at: writer.now });
    }
  for (const [name, { project_id = null, resource = null, in_use = 0 }] of counted)
    if (!known.has(name) && Number(in_use) !== 0)
      await writer.insert('quota_usages', { project_id, resource, in_use, reserved: 0, race_preventer: true });
}
