/**
 * Clients that do all that can be done to volumes and snapshots, in no order, good and bad, until they are told to stop.
 *
 * What they make says what it must hold (`metadata.content`). They lose no answer they were given: `door.ts` keeps it.
 */
import { rename, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openDatabase } from '../../src/db/database.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import type { Chance } from './chance.ts';
import { Clients } from './clients.ts';
import { GIB, writeContent, ZERO } from './content.ts';
import type { Door } from './door.ts';
import { hostOf, type Site, type SiteBackend, WRITTEN } from './site.ts';

/** A file that a client laid on a backend to be brought under management. */
export interface ClientFile {
  readonly backend: string;
  readonly name: string;
  readonly bytes: number;
  readonly content: string;
}

export const PROJECTS = ['0123456789abcdef0123456789abcdef', '11111111111111111111111111111111'];
const PACE_MS = 40;
const CLIENT_FILE_BYTES = [GIB, GIB / 2 + 512, 2 * GIB];

const WEIGHTS = {
  createBlank: 8,
  createFromImage: 6,
  createFromBadImage: 1,
  createFromSnapshot: 6,
  clone: 6,
  createTooLarge: 1,
  snapshot: 8,
  extend: 5,
  manageVolume: 5,
  manageSnapshot: 4,
  manageWhatLies: 3,
  unmanage: 3,
  unmanageSnapshot: 2,
  delete: 9,
  deleteCascade: 4,
  deleteByForce: 2,
  deleteSnapshot: 5,
  deleteSnapshotByForce: 1,
  attach: 6,
  detach: 6,
  retype: 4,
  migrate: 4,
  revert: 4,
  reimage: 2,
  upload: 5,
  createGroup: 2,
  joinGroup: 4,
  leaveGroup: 1,
  snapshotGroup: 3,
  deleteGroupSnapshot: 2,
  groupFromGroupSnapshot: 1,
  groupFromGroup: 1,
  deleteGroup: 2,
  cancel: 3,
  vanish: 1,
} as const;
type Deed = keyof typeof WEIGHTS;

interface Seen {
  readonly id: string;
  readonly status: string;
  readonly size: number;
  readonly volume_id: string;
  readonly group_id?: string | null;
  readonly metadata: { readonly content?: string };
  readonly 'os-vol-host-attr:host': string | null;
}

export class Load {
  readonly clientFiles: ClientFile[] = [];
  /** What images were made of, by their ids. */
  readonly uploads = new Map<string, string>();
  /** Deeds done, by name. */
  readonly done: Partial<Record<Deed, number>> = {};
  readonly #site: Site;
  readonly #door: Door;
  readonly #chance: Chance;
  readonly #clients: Clients;
  #names = 0;
  #vanished = false;
  /** By the full name of a file that was once ours. */
  readonly #contents = new Map<string, string>();

  constructor(site: Site, door: Door, chance: Chance) {
    this.#site = site;
    this.#door = door;
    this.#chance = chance;
    this.#clients = new Clients(door, chance, PACE_MS, () => this.#doSomething());
  }

  /** Those that volumes are retyped to, and those of groups. */
  async makeTypes(): Promise<void> {
    const types = [
      { name: OTHER_TYPE },
      ...[...new Set(this.#ours().map(({ pool }) => pool))].map((pool) => ({
        name: typeOf({ pool }),
        extra_specs: { volume_backend_name: pool },
      })),
    ];
    const admin = PROJECTS[0] as string;
    for (const volume_type of types)
      await this.#door.ask(admin, { method: 'POST', path: '/types', body: { volume_type } });
    for (const name of [TOGETHER, MOMENT]) {
      const group_specs = name === MOMENT ? { consistent_group_snapshot_enabled: '<is> True' } : {};
      const group_type = { name, group_specs };
      await this.#door.ask(admin, { method: 'POST', path: '/group_types', body: { group_type } });
    }
  }

  start(clients: number): void {
    this.#clients.start(clients);
  }

  /** Resolves when every request has its answer, or has lost it, and every backend is back. */
  stop(): Promise<void> {
    return this.#clients.stop();
  }

  async #doSomething(): Promise<void> {
    const deed = this.#chance.weighed(WEIGHTS);
    await this[deed](this.#chance.among(PROJECTS) as string);
    this.done[deed] = (this.done[deed] ?? 0) + 1;
  }

  async createBlank(project: string): Promise<void> {
    await this.#create(project, ZERO, { size: this.#chance.between(1, 2), ...this.#somewhere() });
  }

  async createFromImage(project: string): Promise<void> {
    const image = this.#chance.among(this.#site.images.good);
    const size = this.#chance.between(1, 2);
    if (image) await this.#create(project, image.content, { size, imageRef: image.id, ...this.#somewhere() });
  }

  /** Now and then on a backend that would not have been chosen. */
  #somewhere(): { readonly volume_type?: string } {
    const backend = this.#chance.is(0.4) ? this.#chance.among(this.#ours()) : undefined;
    return backend === undefined ? {} : { volume_type: typeOf(backend) };
  }

  async createFromBadImage(project: string): Promise<void> {
    const image = this.#chance.among(this.#site.images.bad);
    if (image) await this.#create(project, image.content, { size: 1, imageRef: image.id });
  }

  async createFromSnapshot(project: string): Promise<void> {
    const source = await this.#snapshotAmong(project, ['available']);
    if (source) await this.#create(project, contentOf(source), { snapshot_id: source.id });
  }

  async clone(project: string): Promise<void> {
    const source = await this.#volumeAmong(project, ['available']);
    const size = source && source.size + this.#chance.between(0, 1);
    if (source) await this.#create(project, contentOf(source), { source_volid: source.id, size });
  }

  async createTooLarge(project: string): Promise<void> {
    await this.#create(project, ZERO, { size: 10_000 });
  }

  async snapshot(project: string): Promise<void> {
    const source = await this.#volumeAmong(project, ['available']);
    if (!source) return;
    const metadata = { content: contentOf(source) };
    const snapshot = { volume_id: source.id, name: this.#name(), metadata };
    await this.#made(metadata.content, project, { method: 'POST', path: '/snapshots', body: { snapshot } });
  }

  async #create(project: string, content: string, request: object): Promise<void> {
    const volume = { name: this.#name(), metadata: { content }, ...request };
    await this.#made(content, project, { method: 'POST', path: '/volumes', body: { volume } });
  }

  async #made(content: string, project: string, request: Parameters<Door['ask']>[1]): Promise<void> {
    const answer = await this.#door.ask(project, request);
    if (answer === undefined || answer.status >= 300) return;
    const [[kind, { id }]] = Object.entries(answer.body) as [[string, { id: string }]];
    this.#contents.set(`${kind}-${id}`, content);
  }

  async extend(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available']);
    if (!volume) return;
    const growth = this.#chance.is(0.2) ? 1_000 : 1;
    await this.#act(project, 'volumes', volume.id, { 'os-extend': { new_size: volume.size + growth } });
  }

  async manageVolume(project: string): Promise<void> {
    const backend = this.#chance.among(this.#ours());
    const file = backend && (await this.#layFile(backend.name));
    if (file) await this.#manageVolume(project, backend, file.name, file.content);
  }

  async manageSnapshot(project: string): Promise<void> {
    // In a pool a snapshot is a part of its volume's image, and cannot be brought.
    if (this.#site.pool !== null) return;
    const volume = await this.#volumeAmong(project, ['available']);
    const backend = volume?.['os-vol-host-attr:host']?.split(/[@#]/)[1];
    const file = backend === undefined ? undefined : await this.#layFile(backend);
    if (!volume || !file) return;
    const snapshot = {
      volume_id: volume.id,
      name: this.#name(),
      ref: { 'source-name': file.name },
      metadata: { content: file.content },
    };
    await this.#made(file.content, project, { method: 'POST', path: '/manageable_snapshots', body: { snapshot } });
  }

  /** What was given back before, or never taken. */
  async manageWhatLies(project: string): Promise<void> {
    const backend = this.#chance.among(this.#ours()) as SiteBackend;
    const path = `/manageable_volumes?host=${encodeURIComponent(hostOf(backend))}`;
    const answer = await this.#door.ask(project, { method: 'GET', path });
    const found = answer?.body?.['manageable-volumes'] as
      | readonly { readonly reference: { readonly 'source-name': string }; readonly safe_to_manage: boolean }[]
      | undefined;
    const one = this.#chance.among((found ?? []).filter(({ safe_to_manage }) => safe_to_manage));
    const name = one?.reference['source-name'];
    const content =
      this.clientFiles.find((file) => file.name === name)?.content ?? this.#contents.get(name as string) ?? null;
    if (name !== undefined && content !== null) await this.#manageVolume(project, backend, name, content);
  }

  async #manageVolume(project: string, backend: SiteBackend, name: string, content: string): Promise<void> {
    const volume = {
      host: hostOf(backend),
      ref: { 'source-name': name },
      name: this.#name(),
      metadata: { content },
    };
    await this.#made(content, project, { method: 'POST', path: '/manageable_volumes', body: { volume } });
  }

  async #layFile(backend: string): Promise<ClientFile | undefined> {
    const { pool } = this.#site;
    const directory = this.#site.backends.find(({ name }) => name === backend)?.directory;
    if (directory === undefined || (pool === null && !(await stat(directory).catch(() => null)))) return undefined;
    const name = `client-${this.#name()}`;
    const bytes = this.#chance.among(CLIENT_FILE_BYTES) as number;
    const laying = pool === null ? writeContent(join(directory, name), name, bytes) : pool.lay(name, name, bytes);
    const laid = await laying.catch(() => null);
    // The directory went away while it was written; nobody was told of the file yet.
    if (laid === null) return undefined;
    const file = { backend, name, bytes, content: name };
    this.clientFiles.push(file);
    return file;
  }

  async unmanage(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available', 'error']);
    if (volume) await this.#act(project, 'volumes', volume.id, { 'os-unmanage': {} });
  }

  async unmanageSnapshot(project: string): Promise<void> {
    if (this.#site.pool !== null) return;
    const snapshot = await this.#snapshotAmong(project, ['available', 'error']);
    if (snapshot) await this.#act(project, 'snapshots', snapshot.id, { 'os-unmanage': null });
  }

  async delete(project: string): Promise<void> {
    await this.#delete(project, ['available', 'error', 'error_extending', 'error_managing'], '');
  }

  async deleteCascade(project: string): Promise<void> {
    await this.#delete(project, ['available', 'error'], '?cascade=true');
  }

  async deleteByForce(project: string): Promise<void> {
    await this.#delete(project, undefined, '?force=true&cascade=true');
  }

  async #delete(project: string, statuses: readonly string[] | undefined, query: string): Promise<void> {
    const volume = await this.#volumeAmong(project, statuses);
    if (volume) await this.#door.ask(project, { method: 'DELETE', path: `/volumes/${volume.id}${query}` });
  }

  async deleteSnapshot(project: string): Promise<void> {
    const snapshot = await this.#snapshotAmong(project, ['available', 'error']);
    if (snapshot) await this.#door.ask(project, { method: 'DELETE', path: `/snapshots/${snapshot.id}` });
  }

  async deleteSnapshotByForce(project: string): Promise<void> {
    const snapshot = await this.#snapshotAmong(project);
    if (snapshot) await this.#act(project, 'snapshots', snapshot.id, { 'os-force_delete': {} });
  }

  async attach(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available']);
    if (!volume) return;
    const attachment = { volume_uuid: volume.id, connector: { host: hostname() } };
    const answer = await this.#door.ask(project, { method: 'POST', path: '/attachments', body: { attachment } });
    if (answer?.status !== 200 || this.#chance.is(0.3)) return;
    const path = `/attachments/${answer.body.attachment.id}/action`;
    await this.#door.ask(project, { method: 'POST', path, body: { 'os-complete': null } });
  }

  async detach(project: string): Promise<void> {
    const answer = await this.#door.ask(project, { method: 'GET', path: '/attachments' });
    const one = this.#chance.among((answer?.body?.attachments ?? []) as readonly { readonly id: string }[]);
    if (one) await this.#door.ask(project, { method: 'DELETE', path: `/attachments/${one.id}` });
  }

  async retype(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available']);
    const newType = this.#chance.among(['__DEFAULT__', OTHER_TYPE, ...this.#ours().map(typeOf)]);
    const policy = this.#chance.is(0.8) ? 'on-demand' : 'never';
    if (volume)
      await this.#act(project, 'volumes', volume.id, { 'os-retype': { new_type: newType, migration_policy: policy } });
  }

  async migrate(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available']);
    if (!volume) return;
    const from = volume['os-vol-host-attr:host'];
    const good = this.#ours().filter((each) => from?.endsWith(`#${each.pool}`) && hostOf(each) !== from);
    const to = this.#chance.is(0.5) ? this.#chance.among(good) : undefined;
    const host = hostOf(to ?? (this.#chance.among(this.#ours()) as SiteBackend));
    const [force_host_copy, lock_volume] = [this.#chance.is(0.5), this.#chance.is(0.3)];
    await this.#act(project, 'volumes', volume.id, { 'os-migrate_volume': { host, force_host_copy, lock_volume } });
  }

  /** To what it holds already, as far as anybody was told: then its row still says what it must hold. */
  async revert(project: string): Promise<void> {
    const snapshot = await this.#snapshotAmong(project, ['available']);
    const volume = snapshot && (await this.#ask(project, 'volumes', snapshot.volume_id));
    if (volume && contentOf(volume) === contentOf(snapshot))
      await this.#act(project, 'volumes', volume.id, { revert: { snapshot_id: snapshot.id } });
  }

  /** The same. */
  async reimage(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available', 'error']);
    const image = volume && this.#site.images.good.find(({ content }) => content === contentOf(volume));
    if (image) await this.#act(project, 'volumes', volume.id, { 'os-reimage': { image_id: image.id } });
  }

  async upload(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available']);
    if (!volume) return;
    const body = { 'os-volume_upload_image': { image_name: this.#name(), disk_format: 'qcow2' } };
    const request = { method: 'POST', path: `/volumes/${volume.id}/action`, body } as const;
    const id = (await this.#door.ask(project, request))?.body?.['os-volume_upload_image']?.image_id;
    if (id !== undefined) this.uploads.set(id, contentOf(volume));
  }

  async createGroup(project: string): Promise<void> {
    const group = {
      name: this.#name(),
      group_type: this.#chance.is(0.5) ? MOMENT : TOGETHER,
      volume_types: this.#chance.is(0.7) ? ['__DEFAULT__'] : ['__DEFAULT__', OTHER_TYPE],
    };
    await this.#door.ask(project, { method: 'POST', path: '/groups', body: { group } });
  }

  async joinGroup(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available', 'in-use']);
    const group = await this.#groupAmong(project);
    if (volume && group) await this.#updateGroup(project, group.id, { add_volumes: volume.id });
  }

  async leaveGroup(project: string): Promise<void> {
    const volume = await this.#volumeAmong(project, ['available', 'in-use', 'error']);
    if (volume?.group_id != null) await this.#updateGroup(project, volume.group_id, { remove_volumes: volume.id });
  }

  async #updateGroup(project: string, id: string, group: object): Promise<void> {
    await this.#door.ask(project, { method: 'PUT', path: `/groups/${id}`, body: { group } });
  }

  async snapshotGroup(project: string): Promise<void> {
    const group = await this.#groupAmong(project);
    if (!group) return;
    const group_snapshot = { group_id: group.id, name: this.#name() };
    await this.#door.ask(project, { method: 'POST', path: '/group_snapshots', body: { group_snapshot } });
  }

  async deleteGroupSnapshot(project: string): Promise<void> {
    const one = await this.#among(project, 'group_snapshots', undefined);
    if (one) await this.#door.ask(project, { method: 'DELETE', path: `/group_snapshots/${one.id}` });
  }

  async groupFromGroupSnapshot(project: string): Promise<void> {
    const one = await this.#among(project, 'group_snapshots', ['available']);
    if (one) await this.#groupFrom(project, { group_snapshot_id: one.id });
  }

  async groupFromGroup(project: string): Promise<void> {
    const group = await this.#groupAmong(project);
    if (group) await this.#groupFrom(project, { source_group_id: group.id });
  }

  async #groupFrom(project: string, source: object): Promise<void> {
    const body = { 'create-from-src': { name: this.#name(), ...source } };
    await this.#door.ask(project, { method: 'POST', path: '/groups/action', body });
  }

  async deleteGroup(project: string): Promise<void> {
    const group = await this.#among(project, 'groups', undefined);
    const body = { delete: { 'delete-volumes': this.#chance.is(0.7) } };
    if (group) await this.#door.ask(project, { method: 'POST', path: `/groups/${group.id}/action`, body });
  }

  /** As the command line does: a wish in the flow's row. Those that write through the storm expect their extends to be done. */
  async cancel(projectId: string): Promise<void> {
    if (!this.#door.answers) return;
    const database = await openDatabase(this.#site.databaseUrl, { as: 'tool' }).catch(() => null);
    if (database === null) return;
    try {
      const journal = new DatabaseJournal(database);
      const flow = this.#chance.among(await journal.list({ unended: true, projectId }));
      if (flow) await journal.wish(flow.id, 'cancel', 'the storm wants it');
    } finally {
      await database.close();
    }
  }

  /** A backend's directory goes away for a while, as a file system does that is unmounted. */
  async vanish(): Promise<void> {
    const backend = this.#chance.among(this.#ours().filter(({ iscsiPort }) => iscsiPort === undefined));
    if (backend === undefined || this.#vanished || this.#site.pool !== null) return;
    this.#vanished = true;
    const away = `${backend.directory}.away`;
    await rename(backend.directory, away);
    await pause(this.#chance.between(100, 1_500));
    await rename(away, backend.directory);
    this.#vanished = false;
  }

  /** Those that nobody uses but these clients. */
  #ours(): SiteBackend[] {
    return this.#site.backends.filter(({ pool }) => pool !== WRITTEN);
  }

  async #ask(project: string, kind: 'volumes', id: string): Promise<Seen | undefined> {
    return (await this.#door.ask(project, { method: 'GET', path: `/${kind}/${id}` }))?.body?.volume;
  }

  #groupAmong(project: string): Promise<Seen | undefined> {
    return this.#among(project, 'groups', ['available']);
  }

  #volumeAmong(project: string, statuses?: readonly string[]): Promise<Seen | undefined> {
    return this.#among(project, 'volumes', statuses);
  }

  #snapshotAmong(project: string, statuses?: readonly string[]): Promise<Seen | undefined> {
    return this.#among(project, 'snapshots', statuses);
  }

  async #among(
    project: string,
    kind: 'volumes' | 'snapshots' | 'groups' | 'group_snapshots',
    statuses: readonly string[] | undefined,
  ): Promise<Seen | undefined> {
    const answer = await this.#door.ask(project, { method: 'GET', path: `/${kind}/detail` });
    const all = (answer?.body?.[kind] ?? []) as readonly Seen[];
    // What a group was made of says of itself nothing that could be held against it, or its copies.
    const known = /group/.test(kind) ? all : all.filter(({ metadata }) => metadata.content !== undefined);
    return this.#chance.among(known.filter(({ status }) => statuses === undefined || statuses.includes(status)));
  }

  async #act(project: string, kind: 'volumes' | 'snapshots', id: string, body: object): Promise<void> {
    await this.#door.ask(project, { method: 'POST', path: `/${kind}/${id}/action`, body });
  }

  #name(): string {
    this.#names += 1;
    return `n${this.#names}`;
  }
}

/** A type that says nothing of backends, and one that is good for one pool alone. */
const OTHER_TYPE = 'other';
/** Types of groups: the snapshots of one are of one moment. */
const [TOGETHER, MOMENT] = ['together', 'moment'];
const typeOf = ({ pool }: Pick<SiteBackend, 'pool'>): string => `on-${pool}`;

const contentOf = ({ metadata }: Seen): string => metadata.content ?? ZERO;
