/**
 * What must be true when a storm is over and every process has stopped: the promises of the design, recounted from the rows,
 * the journals, the directories, the file of notifications, and what clients were answered.
 */
import type { Database } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { countPoolUsage, listPoolUsage } from '../../src/db/pool-usage.ts';
import { countUsage } from '../../src/db/quota-recount.ts';
import { quotaUsage } from '../../src/db/quotas.ts';
import type {
  BackupBaseTable,
  BackupTable,
  GroupSnapshotTable,
  GroupTable,
  ImageCacheTable,
  SnapshotTable,
  VolumeTable,
} from '../../src/db/sql/schema.ts';
import { JournalMismatch, plan, replay } from '../../src/engine/cursor.ts';
import type { FlowRow } from '../../src/engine/journal.ts';
import type { Step } from '../../src/engine/step.ts';
import { Registry } from '../../src/engine/upgrade.ts';
import { FLOWS } from '../../src/flows/registry.ts';
import { TRANSIENT_BACKUP_STATUSES } from '../../src/model/backup-status.ts';
import { isTransient } from '../../src/model/status.ts';
import { attachmentViolations } from './attachment-violations.ts';
import { backendViolations } from './backend-violations.ts';
import type { BackupClients } from './backup-clients.ts';
import { backupViolations } from './backup-violations.ts';
import type { Entry } from './door.ts';
import { eventViolations } from './event-violations.ts';
import { imageViolations } from './image-violations.ts';
import type { ClientFile } from './load.ts';
import type { Site } from './site.ts';

export interface Violation {
  /** P1 … P6 of the design. */
  readonly promise: string;
  readonly what: string;
}

export interface Aftermath {
  readonly database: Database;
  readonly site: Site;
  readonly ledger: readonly Entry[];
  readonly clientFiles: readonly ClientFile[];
  /** What was uploaded, by the image's id, as far as it was answered. */
  readonly uploads: ReadonlyMap<string, string>;
  /** Of the image service: those that were made, and have no bytes. */
  readonly emptyImages: readonly string[];
  readonly processes: readonly string[];
  readonly backups: BackupClients;
}

export interface Rows {
  readonly volumes: readonly VolumeTable[];
  readonly snapshots: readonly SnapshotTable[];
  readonly groups: readonly (GroupTable | GroupSnapshotTable)[];
  readonly cachedImages: readonly ImageCacheTable[];
  readonly backups: readonly BackupTable[];
  readonly bases: readonly BackupBaseTable[];
  /** The oldest end first. */
  readonly flows: readonly FlowRow[];
  /** Flows whose volume has come to where it was to go: what is taken back then is done all the same. */
  readonly moved: ReadonlySet<string>;
  readonly events: readonly {
    readonly message_id: string;
    readonly resource: string;
    readonly event_type: string;
    readonly request_id: string;
  }[];
}

/** Flows that run, or wait to, and events that a sink has not had. */
export async function unfinished({ read }: Database): Promise<{ readonly running: number; readonly events: number }> {
  const flows = await read
    .selectFrom('flow')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('ended_at', 'is', null)
    .where('state', '<>', 'stuck')
    .executeTakeFirstOrThrow();
  const events = await read
    .selectFrom('outbox')
    .leftJoin('outbox_delivered', 'outbox_delivered.seq', 'outbox.seq')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('outbox_delivered.seq', 'is', null)
    .executeTakeFirstOrThrow();
  return { running: flows.count, events: events.count };
}

export async function findViolations(aftermath: Aftermath): Promise<{
  readonly flows: number;
  readonly reverted: number;
  readonly events: number;
  readonly violations: readonly Violation[];
}> {
  const { read } = aftermath.database;
  const journal = new DatabaseJournal(aftermath.database);
  const flows = (await journal.list({})).toSorted((a, b) => ((a.endedAt ?? '') < (b.endedAt ?? '') ? -1 : 1));
  const rows: Rows = {
    volumes: await read.selectFrom('volume').selectAll().execute(),
    snapshots: await read.selectFrom('snapshot').selectAll().execute(),
    groups: [
      ...(await read.selectFrom('volume_group').selectAll().execute()),
      ...(await read.selectFrom('group_snapshot').selectAll().execute()),
    ],
    cachedImages: await read.selectFrom('image_cache').selectAll().execute(),
    backups: await read.selectFrom('backup').selectAll().execute(),
    bases: await read.selectFrom('backup_base').selectAll().execute(),
    flows,
    moved: await movesThatSwitched(read),
    events: await read
      .selectFrom('outbox')
      .select(['message_id', 'resource', 'event_type', 'request_id'])
      .orderBy('seq')
      .execute(),
  };
  const messages = new Set(
    (await read.selectFrom('message').select('request_id').execute()).map((row) => row.request_id),
  );
  return {
    flows: flows.length,
    reverted: flows.filter(({ state }) => state === 'reverted').length,
    events: rows.events.length,
    violations: [
      ...brokenPromises(aftermath.ledger, rows),
      ...unfinishedWork(rows, messages),
      ...(await journalViolations(journal, rows)),
      ...(await miscounts(aftermath.database)),
      ...(await backendViolations(aftermath, rows)),
      ...(await imageViolations(aftermath, rows)),
      ...(await backupViolations(aftermath, rows)),
      ...(await attachmentViolations(aftermath, rows)),
      ...(await eventViolations(aftermath.site, rows)),
    ],
  };
}

async function movesThatSwitched(read: Database['read']): Promise<ReadonlySet<string>> {
  const steps = read.selectFrom('flow_step').select('flow_id').where('event', '=', 'done');
  return new Set((await steps.where('node', 'like', '%switch_volume').execute()).map(({ flow_id }) => flow_id));
}

/** P1: what was answered 2xx is a row and a flow, or was ended by another promise; all else is nothing. */
function* brokenPromises(ledger: readonly Entry[], rows: Rows): Generator<Violation> {
  const broken = (what: string): Violation => ({ promise: 'P1', what });
  const flowsOf = Map.groupBy(rows.flows, ({ requestId }) => requestId);
  const eventsOf = Map.groupBy(rows.events, ({ request_id }) => request_id);
  // The parts of a group snapshot are called as it is.
  const alone = rows.snapshots.filter(({ group_snapshot_id }) => group_snapshot_id === null);
  const all = [...rows.volumes, ...alone, ...rows.groups, ...rows.backups];
  const named = Map.groupBy(all, ({ name }) => name);
  const ids = new Set(all.map(({ id }) => id));
  const forgotten = new Set(
    rows.events
      .filter(({ event_type }) => /\.(delete|unmanage)\.end$/.test(event_type))
      .map(({ resource }) => resource.slice(resource.indexOf(':') + 1)),
  );
  for (const { asked, status, requestId, name, made, text } of ledger) {
    const flows = requestId === null ? [] : (flowsOf.get(requestId) ?? []);
    const events = requestId === null ? [] : (eventsOf.get(requestId) ?? []);
    if (name !== null && (named.get(name)?.length ?? 0) > 1) yield broken(`${asked} made more than one thing.`);
    if (status === null) continue;
    // Clients ask for what cannot be, and never in a form that nobody could be served in: that tries nothing.
    if (/Invalid request body/.test(text)) yield broken(`${asked} is no request: ${text}`);
    if (status >= 500 && status !== 503) yield broken(`${asked} was answered ${status}: ${text}`);
    if (status >= 300) {
      if (flows.length + events.length > 0) yield broken(`${asked} was answered ${status}, and is a flow or an event.`);
      if (name !== null && named.has(name)) yield broken(`${asked} was answered ${status}, and has made a row.`);
      continue;
    }
    // What never came to a backend is forgotten at once, a reset is what it says at once, and so is an empty group.
    if (
      flows.length !== 1 &&
      !events.some(({ event_type }) => AT_ONCE.test(event_type)) &&
      !/^POST \/groups /.test(asked)
    )
      yield broken(`${asked} was answered ${status}, and has ${flows.length} flows.`);
    if (made !== null && !ids.has(made) && !forgotten.has(made))
      yield broken(`${asked} made ${made}, which is gone, and nobody deleted it.`);
  }
  const wished = new Set(ledger.filter(({ status }) => status === null || status < 300).map(({ name }) => name));
  for (const { id, name } of all) {
    if (!wished.has(name)) yield broken(`${id} (${name}) is there, and nobody asked for it.`);
  }
}

const AT_ONCE = /^(volume\.(delete|reset_status)|group\.delete)\.end$/;

/** P2, P6, P7: nothing is halfway, nothing is stuck, and a failure is told. */
function* unfinishedWork(
  { volumes, snapshots, groups, backups, flows, moved }: Rows,
  messages: ReadonlySet<string>,
): Generator<Violation> {
  for (const { id, status } of [...volumes, ...snapshots]) {
    if (isTransient(status)) yield { promise: 'P2', what: `${id} is ${status}.` };
  }
  for (const { id, migration_status: status } of volumes)
    if (status !== null && !/^(success|error)$/.test(status)) yield { promise: 'P2', what: `${id} is ${status}.` };
  for (const { id, status } of groups)
    if (!/^(available|error|error_deleting)$/.test(status)) yield { promise: 'P2', what: `${id} is ${status}.` };
  for (const { id, status } of backups)
    if (TRANSIENT_BACKUP_STATUSES.some((each) => each === status)) yield { promise: 'P2', what: `${id} is ${status}.` };
  const ids = new Set([...volumes, ...snapshots, ...groups, ...backups].map(({ id }) => id));
  for (const flow of flows) {
    if (flow.state === 'stuck') yield { promise: 'P7', what: `${told(flow)} is stuck.` };
    else if (flow.endedAt === null)
      yield { promise: 'P2', what: `${told(flow)} is ${flow.state} and does ${JSON.stringify(flow.doing)}.` };
    if (flow.state !== 'reverted' || messages.has(flow.requestId) || moved.has(flow.id)) continue;
    // Nobody asked that an export be made again: what ails it is told when it lasts.
    if (flow.input.failed === 'unchanged') continue;
    // The same of what looks at backups by itself, and mends them.
    if (/^(verify|mend)_backups?$/.test(flow.name)) continue;
    if (ids.has(flow.resource.slice(flow.resource.indexOf(':') + 1)))
      yield { promise: 'P6', what: `${told(flow)} failed, and no message says why.` };
  }
}

/** Every journal is one story: the steps follow from each other, and lead to the end that the flow has. */
async function journalViolations(journal: DatabaseJournal, { flows }: Rows): Promise<Violation[]> {
  const registry = new Registry(FLOWS);
  const found: Violation[] = [];
  for (const flow of flows.filter(({ endedAt }) => endedAt !== null)) {
    const steps = await journal.steps(flow.id);
    const fault = faultOfJournal(registry, flow, steps);
    if (fault !== null)
      found.push({ promise: 'P2', what: `The journal of ${told(flow)} ${fault}: ${steps.map(brief).join(', ')}.` });
  }
  return found;
}

function faultOfJournal(registry: Registry, row: FlowRow, steps: readonly Step[]): string | null {
  if (steps.length !== row.seq) return `has ${steps.length} steps and not ${row.seq}`;
  const flow = registry.find(row.name, row.version);
  if (flow === undefined) return 'is of a flow that nobody knows';
  try {
    const cursor = replay(flow, row.input, steps);
    const end = plan(cursor);
    if (end.do !== 'end') return 'does not lead to an end';
    return end.state === row.state ? null : `leads to ${end.state} and not to ${row.state}`;
  } catch (error) {
    if (!(error instanceof JournalMismatch)) throw error;
    return `is no story, since ${error.message}`;
  }
}

export const told = ({ name, id, resource }: Pick<FlowRow, 'name' | 'id' | 'resource'>): string =>
  `${name} ${id} of ${resource}`;
const brief = ({ node, event }: Step): string => `${node} ${event}`;

/** P3: usage is what the rows say, and no promise outlives its flow. */
async function miscounts({ read }: Database): Promise<Violation[]> {
  const found: Violation[] = [];
  const miscount = (what: string): void => void found.push({ promise: 'P3', what });
  const projects = await read.selectFrom('quota_usage').select('project_id').distinct().execute();
  for (const { project_id: project } of projects) {
    const kept = withoutZeroes(await quotaUsage(read, project));
    const counted = withoutZeroes(await countUsage(read, project, { snapshotGigabytes: true }));
    if (kept !== counted) miscount(`Project ${project} uses ${kept}; its rows say ${counted}.`);
  }
  const pools = withoutZeroes(
    Object.fromEntries((await listPoolUsage(read)).map((usage) => [usage.pool, numbers(usage)])),
  );
  const countedPools = withoutZeroes(
    Object.fromEntries((await countPoolUsage(read)).map((usage) => [usage.pool, numbers(usage)])),
  );
  if (pools !== countedPools) miscount(`The pools use ${pools}; the rows say ${countedPools}.`);
  for (const row of await read.selectFrom('reservation').selectAll().execute())
    miscount(`A reservation of flow ${row.flow_id} is left: ${row.delta} ${row.resource}.`);
  for (const row of await read.selectFrom('hold').selectAll().execute())
    miscount(`A hold of flow ${row.flow_id} is left: ${row.mode} on ${row.resource}.`);
  return found;
}

const numbers = ({ allocatedGiB, provisionedGiB, volumes }: Awaited<ReturnType<typeof listPoolUsage>>[number]) => ({
  allocatedGiB,
  provisionedGiB,
  volumes,
});

function withoutZeroes(usage: Readonly<Record<string, object>>): string {
  const used = Object.entries(usage).filter(([, amounts]) => Object.values(amounts).some((amount) => amount !== 0));
  return JSON.stringify(used.sort(([a], [b]) => (a < b ? -1 : 1)));
}
