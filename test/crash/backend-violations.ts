/**
 * P4: a backend holds what rows own and what clients left there, each with the right content, and nothing else.
 *
 * Where a client's file should be follows from the flows that succeeded: taken over it has its volume's name, given back its
 * own again, deleted with its volume it is gone.
 */
import { join } from 'node:path';
import type { FlowRow } from '../../src/engine/journal.ts';
import { type Lying, lying, temporaries } from './backends.ts';
import { GIB } from './content.ts';
import type { Aftermath, Rows, Violation } from './invariants.ts';

/** What should be there under a name of a backend. */
interface Due {
  readonly whose: string;
  readonly content: string | null;
  /** Its size is this many GiB, rounded up; null: at least it was not lost. */
  readonly sizeGiB: number | null;
  /** It may as well not be there: who was told that it cannot be used. */
  readonly doubtful: boolean;
}

export async function backendViolations({ site, clientFiles }: Aftermath, rows: Rows): Promise<Violation[]> {
  const found: Violation[] = [];
  const violate = (what: string): void => void found.push({ promise: 'P4', what });
  const never = neverMade(rows);
  const due = new Map<string, Due>();
  const marks = new Set<string>();
  for (const { backend, name, bytes, content } of clientFiles)
    due.set(join(backend, name), { whose: 'a client', content, sizeGiB: Math.ceil(bytes / GIB), doubtful: false });
  for (const flow of rows.flows.filter(({ state }) => state === 'success')) follow(flow, due, marks, never);
  for (const owner of owners(rows, never)) due.set(owner.name, owner);

  const there = await lying(site);
  const files = there.filter(({ name }) => !name.startsWith('.'));
  for (const file of files) {
    const owner = due.get(keyOf(file));
    if (owner === undefined) violate(`${keyOf(file)} is an orphan.`);
    else found.push(...(await faultsOf(file, owner)));
  }
  const names = new Set(files.map(keyOf));
  for (const [name, { whose, doubtful }] of due)
    if (!doubtful && !names.has(name)) violate(`${name} of ${whose} is gone.`);
  for (const mark of there.filter(({ name }) => name.startsWith('.unmanaged-')))
    if (!marks.has(keyOf(mark))) violate(`${keyOf(mark)} marks what was not given back.`);
  for (const path of await temporaries(site)) violate(`${path} is left.`);
  return found;
}

const keyOf = ({ backend, name }: Lying): string => join(backend, name);

async function faultsOf({ bytes, backend, name, faultOf }: Lying, due: Due): Promise<Violation[]> {
  const what: string[] = [];
  if (due.sizeGiB !== null && Math.ceil(bytes / GIB) !== due.sizeGiB)
    what.push(`has ${bytes} bytes and not ${due.sizeGiB} GiB`);
  const fault = due.content === null ? null : await faultOf(due.content);
  if (fault !== null) what.push(`is not what it was made from: ${fault}`);
  return what.map((each) => ({ promise: 'P4', what: `${join(backend, name)} of ${due.whose} ${each}.` }));
}

/** Ids of rows whose making failed: nothing was left on a backend, whatever was wished of them later. */
const neverMade = ({ flows }: Rows): ReadonlySet<string> =>
  new Set(
    flows
      .filter(({ name, state }) => /^(create|manage)_/.test(name) && state === 'reverted')
      .map(({ resource }) => resource.slice(resource.indexOf(':') + 1)),
  );

function volumesWhoseLastExtendFailed(flows: readonly FlowRow[]): ReadonlySet<string> {
  const last = new Map<string, FlowRow['state']>();
  const extensions = flows.filter(({ name }) => name === 'extend_volume').toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const { resource, state } of extensions) last.set(resource.slice(resource.indexOf(':') + 1), state);
  return new Set([...last].flatMap(([id, state]) => (state === 'reverted' ? [id] : [])));
}

function* owners(
  { volumes, snapshots, cachedImages, bases, flows }: Rows,
  never: ReadonlySet<string>,
): Generator<Due & { readonly name: string }> {
  const lastExtendFailed = volumesWhoseLastExtendFailed(flows);
  const hosts = new Map(volumes.map(({ id, host }) => [id, host]));
  for (const { id, name_id, host, status, size_gib: sizeGiB, metadata } of volumes) {
    if (host === null || never.has(id)) continue;
    yield {
      name: join(backendOf(host), `volume-${name_id ?? id}`),
      whose: `${status} volume ${id}`,
      content: contentIn(metadata),
      // Nobody can say how large it is, also when an administrator has said since that it is well.
      sizeGiB: lastExtendFailed.has(id) ? null : sizeGiB,
      doubtful: status === 'error_deleting',
    };
  }
  for (const { id, volume_id, status, volume_size_gib: sizeGiB, metadata } of snapshots) {
    const host = hosts.get(volume_id);
    if (host == null || never.has(id)) continue;
    yield {
      name: join(backendOf(host), `snapshot-${id}`),
      whose: `${status} snapshot ${id}`,
      content: contentIn(metadata),
      sizeGiB,
      doubtful: status === 'error_deleting',
    };
  }
  for (const { id, pool, size_gib: sizeGiB } of cachedImages) {
    const name = join(backendOf(pool), `cached-image-${id}`);
    // What is lost is made again by the next volume of it, and what was evicted may have gone.
    yield { name, whose: 'the image cache', content: 'image', sizeGiB, doubtful: true };
  }
  for (const { backup_id: id, pool } of bases) {
    const name = join(backendOf(pool), `backup-${id}`);
    // One that was given up may have gone.
    yield { name, whose: 'the next backup', content: null, sizeGiB: null, doubtful: true };
  }
}

const contentIn = (metadata: string): string | null =>
  (JSON.parse(metadata) as { readonly content?: string }).content ?? null;
const backendOf = (host: string): string => host.split(/[@#]/)[1] ?? '';

interface Taken {
  readonly pool: string;
  readonly ref: { readonly 'source-name'?: string } | null;
  readonly volumeId?: string;
  readonly snapshotId?: string;
  readonly volumeRef?: { readonly id: string; readonly nameId?: string | null };
  readonly snapshotRef?: { readonly id: string };
}

/** Where a file is after a flow that took it over or gave it back. */
function follow(
  { name, input, resource }: FlowRow,
  due: Map<string, Due>,
  marks: Set<string>,
  never: ReadonlySet<string>,
): void {
  const { pool, ref, volumeId, snapshotId, volumeRef, snapshotRef } = input as unknown as Taken;
  const volume = volumeId ?? volumeRef?.id;
  const of = volume === undefined ? `snapshot-${snapshotId ?? snapshotRef?.id}` : `volume-${volume}`;
  const full = volumeRef?.nameId == null ? of : `volume-${volumeRef.nameId}`;
  const theirs = ref?.['source-name'];
  switch (name) {
    case 'manage_existing':
    case 'manage_existing_snapshot': {
      const from = join(backendOf(pool), theirs ?? '');
      const file = due.get(from);
      due.delete(from);
      marks.delete(join(backendOf(pool), `.unmanaged-${theirs}`));
      // Until it is given back it is its row's, or went with it.
      if (file !== undefined) due.set(`taken ${of}`, { ...file, doubtful: true });
      break;
    }
    case 'unmanage_volume':
    case 'unmanage_snapshot': {
      const named = theirs !== undefined && !/^(volume|snapshot)-[0-9a-f-]{36}$/.test(theirs);
      const file = due.get(`taken ${of}`);
      due.delete(`taken ${of}`);
      if (!named) marks.add(join(backendOf(pool), `.unmanaged-${full}`));
      due.set(join(backendOf(pool), named ? theirs : full), {
        whose: 'a client, given back',
        content: file?.content ?? null,
        sizeGiB: null,
        // There was nothing to be given back.
        doubtful: never.has(resource.slice(resource.indexOf(':') + 1)),
      });
      break;
    }
  }
}
