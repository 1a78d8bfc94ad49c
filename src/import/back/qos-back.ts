/** QoS specs, which are a tree of rows there: a parent with their name, and a child for each key, the consumer among them. */
import type { Database } from '../../db/database.ts';
import { allRowsOf } from '../../db/exported-rows.ts';
import { uuid } from '../../lib/clock.ts';
import type { CinderDatabase } from '../cinder/cinder-database.ts';
import type { BackWriter } from './back-writer.ts';

const TABLE = 'quality_of_service_specs';
const PARENT = 'QoS_Specs_Name';

export async function writeQosSpecs(cinder: CinderDatabase, writer: BackWriter, { read }: Database): Promise<void> {
  const parents = new Map<string, string | null>();
  const children = new Map<string, Map<string, { readonly id: string; readonly value: string | null }>>();
  for await (const rows of cinder.living(TABLE))
    for (const { id, specs_id, key, value } of rows) {
      if (specs_id === null) parents.set(id, value);
      else {
        const of = children.get(specs_id) ?? new Map();
        children.set(specs_id, of.set(key ?? '', { id, value }));
      }
    }
  const kept = new Map((await allRowsOf(read, 'qos_specs')).map((row) => [String(row.id), row]));
  for (const id of parents.keys()) {
    if (kept.has(id)) continue;
    await writer.markGone(TABLE, { specs_id: id });
    await writer.markGone(TABLE, { id });
  }
  for (const [id, row] of kept) {
    const name = parents.get(id);
    if (!parents.has(id)) await writer.insert(TABLE, { id, specs_id: null, key: PARENT, value: row.name ?? null });
    // One that the import called otherwise is still called as it was there.
    else if (name !== row.name && row.name !== `${name} (${id})`)
      await writer.update(TABLE, { id }, { value: row.name ?? null, updated_at: writer.now });
    const found = children.get(id) ?? new Map();
    const wanted: Record<string, string> = { ...JSON.parse(String(row.specs)), consumer: String(row.consumer) };
    for (const [key, child] of found) if (!Object.hasOwn(wanted, key)) await writer.markGone(TABLE, { id: child.id });
    for (const [key, value] of Object.entries(wanted)) {
      const child = found.get(key);
      // Without one, back-end is what the import took.
      if (child === undefined && key === 'consumer' && parents.has(id) && value === 'back-end') continue;
      if (child === undefined) await writer.insert(TABLE, { id: uuid(), specs_id: id, key, value });
      else if ((child.value ?? '') !== value)
        await writer.update(TABLE, { id: child.id }, { value, updated_at: writer.now });
    }
  }
}
