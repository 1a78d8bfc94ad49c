/**
 * P4 of backups: the store holds what the backups that are there are made of, and nothing else; each of them is what it was made from, to the last
 * byte, and so is what was restored into a volume.
 *
 * What a volume that is restored into holds follows from the flows, in the order of their ends: who restores has it alone, and who backs it up
 * lets nobody restore meanwhile.
 */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { exec } from '../../src/lib/exec.ts';
import { lying } from './backends.ts';
import type { BackupClients } from './backup-clients.ts';
import { faultOfDisk, ZERO } from './content.ts';
import type { Aftermath, Rows, Violation } from './invariants.ts';
import type { Site } from './site.ts';

export async function backupViolations(aftermath: Aftermath, rows: Rows): Promise<Violation[]> {
  const { site, backups: clients, database } = aftermath;
  const found: Violation[] = [];
  const violate = (what: string): void => void found.push({ promise: 'P4', what });
  const { read } = database;
  const contents = await read.selectFrom('backup_content').selectAll().execute();
  const ready = new Set(rows.backups.filter(({ status }) => status === 'available').map(({ id }) => id));

  for (const { backup_id: id } of contents)
    if (!ready.has(id)) violate(`Backup ${id} is not there, and has a content.`);
  for (const id of ready)
    if (!contents.some(({ backup_id }) => backup_id === id)) violate(`Backup ${id} is available, and has no content.`);
  // Of one that its store has failed, what was stored stays, for another try.
  const failed = new Set(rows.backups.filter(({ status }) => status === 'error').map(({ id }) => id));
  const work = await read.selectFrom('backup_work').select('backup_id').execute();
  const kept = new Set(work.map(({ backup_id }) => backup_id).filter((id) => failed.has(id)));
  for (const table of ['backup_work', 'backup_bite', 'backup_remains'] as const)
    for (const { backup_id: id } of await read.selectFrom(table).select('backup_id').execute())
      if (table === 'backup_remains' || !kept.has(id)) violate(`A row of ${table} is left of backup ${id}.`);

  const due = new Set<string>();
  for (const { backup_id: id, scope_id: scope, packs } of contents) {
    due.add(join('scopes', scope, 'manifests', id));
    for (const pack of JSON.parse(packs) as readonly string[]) due.add(join('scopes', scope, 'packs', pack));
  }
  const there = await objects(site);
  const isKept = (name: string): boolean => name.split('/').some((part) => kept.has(part));
  for (const name of there) if (!due.has(name) && !isKept(name)) violate(`${name} in the store is an orphan.`);
  const names = new Set(there);
  for (const name of due) if (!names.has(name)) violate(`${name} is not in the store, and a backup is made of it.`);

  const { ofBackups, ofTargets } = replayed(rows, clients);
  const ground = makeBackups({ exec });
  const { signal } = new AbortController();
  for (const { backup_id: id, scope_id: scope } of contents) {
    const content = ofBackups.get(id);
    if (content === undefined) continue;
    const place = { store: { kind: 'directory', path: site.store }, scope, keys: [], backupId: id } as const;
    const fault = await ground.content(place, signal).then(
      (disk) => faultOfDisk(disk.read(signal), content),
      (error: unknown) => String(error),
    );
    if (fault !== null) violate(`Backup ${id} is not what it was made from: ${fault}.`);
  }
  const lies = await lying(site);
  for (const { id, name_id, host, status, metadata } of rows.volumes) {
    if (status !== 'available' || host === null || !isTarget(metadata)) continue;
    const content = ofTargets.has(id) ? ofTargets.get(id) : ZERO;
    if (content === undefined) continue;
    const [, backend] = host.split(/[@#]/);
    const volume = lies.find((each) => each.backend === backend && each.name === `volume-${name_id ?? id}`);
    const fault = volume === undefined ? 'it is gone' : await volume.faultOf(content);
    if (fault !== null) violate(`Volume ${id} is not what was restored into it: ${fault}.`);
  }
  return found;
}

/** Undefined where nobody knows: the answer was lost, or a restore failed in the middle. */
function replayed({ flows, backups }: Rows, { contents }: BackupClients) {
  const rowContents = new Map(backups.map(({ id, metadata }) => [id, contentIn(metadata)]));
  const targets = new Set(flows.filter(({ name }) => name === 'restore_backup').map(({ input }) => volumeOf(input)));
  const ofBackups = new Map<string, string | undefined>();
  const ofTargets = new Map<string, string | undefined>();
  for (const { name, state, input } of flows.filter(({ endedAt }) => endedAt !== null)) {
    if (state !== 'success') continue;
    const id = input.backupId as string;
    const volumeId = volumeOf(input);
    if (name === 'create_backup') {
      const held = targets.has(volumeId) && !ofTargets.has(volumeId) ? ZERO : ofTargets.get(volumeId);
      ofBackups.set(id, rowContents.get(id) ?? contents.get(id) ?? held);
    }
    if (name === 'restore_backup') ofTargets.set(volumeId, ofBackups.get(id));
  }
  return { ofBackups, ofTargets };
}

const volumeOf = (input: object): string =>
  (input as { readonly volumeRef?: { readonly id: string } }).volumeRef?.id ?? '';
const contentIn = (metadata: string): string | undefined => (JSON.parse(metadata) as { content?: string }).content;
const isTarget = (metadata: string): boolean => (JSON.parse(metadata) as { target?: string }).target !== undefined;

/** Packs and manifests. */
async function objects({ store }: Site): Promise<string[]> {
  const files = await readdir(store, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .map((file) => relative(store, join(file.parentPath, file.name)))
    .filter((name) => /^scopes\/[^/]+\/(packs|manifests)\//.test(name));
}
