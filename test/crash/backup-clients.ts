/**
 * Clients that back up what the others have made, volumes in use and snapshots too, and restore it into new volumes and into volumes of their own, again
 * and again another content. What is asked of one store is asked of it while it is full, away, or loses the processes that copy to it.
 */
import type { Chance } from './chance.ts';
import { Clients } from './clients.ts';
import type { Door, Wish } from './door.ts';
import { PROJECTS } from './load.ts';

const PACE_MS = 150;

const WEIGHTS = {
  makeTarget: 2,
  backUpVolume: 8,
  backUpSnapshot: 4,
  backUpTarget: 10,
  restoreToNew: 5,
  restoreToTarget: 14,
  deleteBackup: 9,
  deleteByForce: 1,
  deleteTarget: 1,
} as const;
type Deed = keyof typeof WEIGHTS;

interface Seen {
  readonly id: string;
  readonly status: string;
  readonly size: number;
  readonly volume_id: string;
  readonly metadata: { readonly content?: string; readonly target?: string };
}

export class BackupClients {
  readonly #door: Door;
  readonly #chance: Chance;
  readonly #clients: Clients;
  #names = 0;
  /** What those hold that were made of volumes whose content never changes, by their ids. */
  readonly contents = new Map<string, string>();

  constructor(door: Door, chance: Chance) {
    this.#door = door;
    this.#chance = chance;
    this.#clients = new Clients(door, chance, PACE_MS, () => this.#doSomething());
  }

  start(clients: number): void {
    this.#clients.start(clients);
  }

  stop(): Promise<void> {
    return this.#clients.stop();
  }

  async #doSomething(): Promise<void> {
    const deed: Deed = this.#chance.weighed(WEIGHTS);
    await this[deed](this.#chance.among(PROJECTS) as string);
  }

  /** Restored into again and again; nobody else uses it. It holds nothing. */
  async makeTarget(project: string): Promise<void> {
    const volume = { name: this.#name(), size: this.#chance.between(1, 2), metadata: { target: 'yes' } };
    await this.#door.ask(project, { method: 'POST', path: '/volumes', body: { volume } });
  }

  async backUpVolume(project: string): Promise<void> {
    const volume = await this.#among(project, 'volumes', isKnown, ['available', 'in-use']);
    if (volume) await this.#backUp(project, volume, { force: volume.status === 'in-use' });
  }

  async backUpSnapshot(project: string): Promise<void> {
    const snapshot = await this.#among(project, 'snapshots', isKnown, ['available']);
    if (!snapshot) return;
    const { id: snapshot_id, volume_id: id, metadata } = snapshot;
    await this.#backUp(project, { id, metadata }, { snapshot_id });
  }

  /** What it holds is known by what was restored into it before. */
  async backUpTarget(project: string): Promise<void> {
    const target = await this.#among(project, 'volumes', isTarget, ['available']);
    if (target) await this.#backUp(project, target, {});
  }

  async #backUp(project: string, { id, metadata }: Pick<Seen, 'id' | 'metadata'>, more: object): Promise<void> {
    const { content } = metadata;
    const ask = (incremental: boolean) => {
      const described = { ...(content !== undefined && { metadata: { content } }), ...more };
      const backup = { volume_id: id, name: this.#name(), incremental, ...described };
      return this.#door.ask(project, { method: 'POST', path: '/backups', body: { backup } });
    };
    const incremental = this.#chance.is(0.6);
    let answer = await ask(incremental);
    // There may be nothing yet that it could be an increment to.
    if (incremental && answer?.status === 400) answer = await ask(false);
    if (answer?.status === 202 && content !== undefined) this.contents.set(answer.body.backup.id, content);
  }

  async restoreToNew(project: string): Promise<void> {
    const backup = await this.#among(project, 'backups', isKnown, ['available']);
    if (!backup) return;
    const volume = { name: this.#name(), backup_id: backup.id, metadata: { content: backup.metadata.content } };
    await this.#door.ask(project, { method: 'POST', path: '/volumes', body: { volume } });
  }

  async restoreToTarget(project: string): Promise<void> {
    const backup = await this.#among(project, 'backups', () => true, ['available']);
    const target = await this.#among(project, 'volumes', isTarget, ['available']);
    if (!backup || !target) return;
    const body = { restore: { volume_id: target.id } };
    await this.#door.ask(project, { method: 'POST', path: `/backups/${backup.id}/restore`, body });
  }

  async deleteBackup(project: string): Promise<void> {
    const status = this.#chance.is(0.6) ? 'available' : 'error';
    const backup = await this.#among(project, 'backups', () => true, [status]);
    if (backup) await this.#door.ask(project, { method: 'DELETE', path: `/backups/${backup.id}` });
  }

  async deleteByForce(project: string): Promise<void> {
    const backup = await this.#among(project, 'backups', () => true);
    const request: Omit<Wish, 'path'> = { method: 'POST', body: { 'os-force_delete': {} } };
    if (backup) await this.#door.ask(project, { ...request, path: `/backups/${backup.id}/action` });
  }

  async deleteTarget(project: string): Promise<void> {
    const target = await this.#among(project, 'volumes', isTarget, ['available', 'error', 'error_restoring']);
    if (target) await this.#door.ask(project, { method: 'DELETE', path: `/volumes/${target.id}` });
  }

  async #among(
    project: string,
    kind: 'volumes' | 'snapshots' | 'backups',
    isGood: (seen: Seen) => boolean,
    statuses?: readonly string[],
  ): Promise<Seen | undefined> {
    const answer = await this.#door.ask(project, { method: 'GET', path: `/${kind}/detail` });
    const all = ((answer?.body?.[kind] ?? []) as readonly Seen[]).filter(isGood);
    return this.#chance.among(all.filter(({ status }) => statuses === undefined || statuses.includes(status)));
  }

  /** Like no other client's. */
  #name(): string {
    this.#names += 1;
    return `b${this.#names}`;
  }
}

const isKnown = ({ metadata }: Seen): boolean => metadata.content !== undefined;
const isTarget = ({ metadata }: Seen): boolean => metadata.target !== undefined;
