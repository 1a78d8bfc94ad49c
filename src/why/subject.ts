/** What an id is about: a flow, a request, or a thing that flows work on, even one that is gone. */
import { findAttachment } from '../db/attachments.ts';
import { findBackup } from '../db/backups.ts';
import type { Database } from '../db/database.ts';
import { flowPage } from '../db/flow-page.ts';
import { flowsOfRequest } from '../db/flows-of-request.ts';
import { flowsOn } from '../db/flows-on.ts';
import { findGroupSnapshot } from '../db/group-snapshots.ts';
import { findGroup } from '../db/groups.ts';
import { idsBeginning, type TableOfIds } from '../db/ids-beginning.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { findSnapshot } from '../db/snapshots.ts';
import type { Db } from '../db/sql/db.ts';
import { findVolume } from '../db/volumes.ts';
import type { FlowRow } from '../engine/journal.ts';

export interface Subject {
  /** `volume:<id>`, `flow:<id>`, `request:<id>`. */
  readonly about: string;
  readonly projectId: string;
  readonly name: string | null;
  /** Of a thing; null where there is no row of it any more. */
  readonly status: string | null;
  /** At work, or what was last; those that have the thing first. */
  readonly flows: readonly FlowRow[];
}

interface Thing {
  readonly projectId: string;
  readonly name: string | null;
  readonly status: string;
  /** What else is looked at when nothing is at work on the thing itself. */
  readonly beside?: string;
}

interface ThingKind {
  readonly table: TableOfIds;
  find(db: Db, id: string): Promise<Thing | undefined>;
}

/** In the order in which they are looked for. */
const THINGS: Readonly<Record<string, ThingKind>> = {
  volume: { table: 'volume', find: findVolume },
  snapshot: { table: 'snapshot', find: findSnapshot },
  backup: { table: 'backup', find: findBackup },
  attachment: {
    table: 'volume_attachment',
    find: async (db, id) => {
      const found = await findAttachment(db, id);
      if (found === undefined) return undefined;
      const { projectId, attachStatus, volumeId } = found;
      return { projectId, name: null, status: attachStatus, beside: `volume:${volumeId}` };
    },
  },
  group: { table: 'volume_group', find: findGroup },
  group_snapshot: { table: 'group_snapshot', find: findGroupSnapshot },
};

/** `asked` is an id of any kind, with or without its kind (`volume:ID`). Undefined when nothing is known of it. */
export async function subjectOf(db: Database, asked: string): Promise<Subject | undefined> {
  const [kind, id] = parsed(asked);
  if (id.startsWith('req-')) return kind === undefined || kind === 'request' ? ofRequest(db, id) : undefined;
  if (kind === undefined || kind === 'flow') {
    const flow = await new DatabaseJournal(db).find(id);
    if (flow !== undefined) return ofFlow(flow);
  }
  const kinds = kind === undefined ? Object.keys(THINGS) : Object.keys(THINGS).filter((each) => each === kind);
  for (const each of kinds) {
    const thing = await THINGS[each]?.find(db.read, id);
    if (thing !== undefined) return ofThing(db, `${each}:${id}`, thing);
  }
  return ofGone(
    db,
    kinds.map((each) => `${each}:${id}`),
  );
}

/** `<kind>:<id>` of flows and things whose ids begin so, as in `subjectOf` with or without a kind; at most `limit` of each kind. */
export async function subjectsBeginning(db: Db, asked: string, limit: number): Promise<string[]> {
  const [kind, prefix] = parsed(asked.toLowerCase());
  const tables = [
    ['flow', 'flow'] as const,
    ...Object.entries(THINGS).map(([each, { table }]) => [each, table] as const),
  ];
  const found: string[] = [];
  for (const [each, table] of tables)
    if (kind === undefined || kind === each)
      for (const id of await idsBeginning(db, table, prefix, limit)) found.push(`${each}:${id}`);
  return found;
}

function parsed(asked: string): readonly [kind: string | undefined, id: string] {
  const colon = asked.indexOf(':');
  return colon < 0 ? [undefined, asked] : [asked.slice(0, colon), asked.slice(colon + 1)];
}

const ofFlow = (flow: FlowRow): Subject => ({
  about: `flow:${flow.id}`,
  projectId: flow.projectId,
  name: null,
  status: null,
  flows: [flow],
});

async function ofRequest(db: Database, id: string): Promise<Subject | undefined> {
  const flows = await flowsOfRequest(db, id);
  const [first] = flows;
  return first && { about: `request:${id}`, projectId: first.projectId, name: null, status: null, flows };
}

async function ofThing(db: Database, about: string, thing: Thing): Promise<Subject> {
  const { projectId, name, status, beside } = thing;
  const atWork = await flowsOn(db.read, beside === undefined ? [about] : [about, beside]);
  const flows = [about, beside ?? ''].flatMap((resource) => atWork.get(resource) ?? []);
  const known = { about, projectId, name, status };
  return { ...known, flows: flows.length > 0 ? flows : await flowPage(db, { resources: [about], limit: 1 }) };
}

/** Its flows are kept longer than its row. */
async function ofGone(db: Database, resources: readonly string[]): Promise<Subject | undefined> {
  if (resources.length === 0) return undefined;
  const [last] = await flowPage(db, { resources, limit: 1 });
  return last && { about: last.resource, projectId: last.projectId, name: null, status: null, flows: [last] };
}
