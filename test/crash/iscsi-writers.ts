/**
 * Clients that have volumes attached over iSCSI and write to them through the whole storm, while these are extended and moved to another
 * backend, again and again. Each reads back every block that it was answered; in one file system a volume that moves stays the file it is.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CheckingWriter } from '../drivers/exports/checking-writer.ts';
import { IscsiSession } from '../drivers/exports/iscsi-session.ts';
import { condition } from './condition.ts';
import type { Door, Wish } from './door.ts';
import { hostOf, type SiteBackend, WRITTEN } from './site.ts';

const PROJECT = '22222222222222222222222222222222';
const VOLUMES = 2;
/** Few at once, so that the storm has a machine to itself. */
const DEPTH = 2;
const PACE_MS = 200;
const LATE_MS = 90_000;

interface Attached {
  readonly volumeId: string;
  readonly attachmentId: string;
  readonly writer: CheckingWriter;
  sizeGiB: number;
  /** The pool that it was last seen on. */
  host: string;
}

const ON_ITS_WAY: readonly string[] = ['starting', 'migrating', 'completing'];
const HOST = 'os-vol-host-attr:host';

interface Seen {
  readonly status: string;
  readonly size: number;
  readonly migration_status: string | null;
  readonly [HOST]: string;
}

/** Nothing is being done to it. */
function isAtRest({ status, migration_status }: Seen): boolean {
  return status === 'in-use' && !ON_ITS_WAY.includes(migration_status ?? '');
}

export class IscsiWriters {
  /** Extends that were done while a client wrote. */
  extended = 0;
  /** Moves likewise. */
  moved = 0;
  readonly #door: Door;
  readonly #backends: readonly SiteBackend[];
  readonly #attached: Attached[] = [];
  readonly #stop = new AbortController();
  #clients: Promise<void>[] = [];

  /** Volumes are on these. */
  constructor(door: Door, backends: readonly SiteBackend[]) {
    this.#door = door;
    this.#backends = backends;
  }

  /** Before anything is killed. What it asks of `beside` is no promise of a volume. */
  async start(beside: Door): Promise<void> {
    const type = { name: WRITTEN, extra_specs: { volume_backend_name: WRITTEN } };
    await beside.ask(PROJECT, { method: 'POST', path: '/types', body: { volume_type: type } });
    const limits = { quota_set: { gigabytes: -1 } };
    await beside.ask(PROJECT, { method: 'PUT', path: `/os-quota-sets/${PROJECT}`, body: limits });
    for (let made = 0; made < VOLUMES; made += 1) await this.#attach(made);
    this.#clients = this.#attached.map((each) => this.#change(each));
  }

  /** What was lost; nothing is attached any more. Only while the service is up. */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort();
    await Promise.all(this.#clients);
    const found: string[] = [];
    for (const attached of this.#attached) {
      const { volumeId, attachmentId, writer } = attached;
      await condition(`volume ${volumeId} is in use, and rests`, LATE_MS, async () => {
        const volume = await this.#look(volumeId);
        if (volume === undefined || !isAtRest(volume)) return false;
        this.#note(attached, volume);
        return true;
      });
      await writer.goesOn();
      const { answered, lost, failed } = await writer.stop();
      if (lost + failed > 0) found.push(`Of ${answered} writes to ${volumeId} ${lost} are lost; ${failed} failed.`);
      await condition(`${attachmentId} goes`, LATE_MS, async () => {
        const answer = await this.#ask('DELETE', `/attachments/${attachmentId}`);
        return answer !== undefined && [200, 404].includes(answer.status);
      });
      await this.#becomes(volumeId, 'available');
    }
    return found;
  }

  get written(): number {
    return this.#attached.reduce((sum, { writer }) => sum + writer.written.answered, 0);
  }

  /** Whatever happened. */
  async end(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#clients);
    for (const { writer } of this.#attached) await writer.stop();
  }

  async #attach(made: number): Promise<void> {
    const initiator = `iqn.2004-10.test:chaos-${made}`;
    const volume = { size: 1, name: `written-${made}`, volume_type: WRITTEN };
    const volumeId = (await this.#done('POST', '/volumes', { volume })).volume.id;
    await this.#becomes(volumeId, 'available');
    const wish = { attachment: { volume_uuid: volumeId, connector: { host: `chaos-${made}`, initiator } } };
    const { attachment } = await this.#done('POST', '/attachments', wish);
    await this.#done('POST', `/attachments/${attachment.id}/action`, { 'os-complete': null });
    const session = await IscsiSession.open(initiator, attachment.connection_info);
    const host = (await this.#done('GET', `/volumes/${volumeId}`)).volume[HOST];
    const backend = this.#backends.find((each) => host === hostOf(each));
    const backing = await open(join(backend?.directory ?? '', `volume-${volumeId}`), 'r');
    const writer = await CheckingWriter.start(session, backing, DEPTH);
    this.#attached.push({ volumeId, attachmentId: attachment.id, writer, sizeGiB: 1, host });
  }

  /** Extends it and moves it, in turns, each when it is at rest. */
  async #change(attached: Attached): Promise<void> {
    const { volumeId } = attached;
    let moves = false;
    while (!this.#stop.signal.aborted) {
      const volume = await this.#look(volumeId);
      if (volume !== undefined && isAtRest(volume)) {
        this.#note(attached, volume);
        const host = this.#backends.map(hostOf).find((pool) => pool !== attached.host);
        const wish = moves ? { 'os-migrate_volume': { host } } : { 'os-extend': { new_size: attached.sizeGiB + 1 } };
        const answer = await this.#ask('POST', `/volumes/${volumeId}/action`, wish);
        if (answer?.status === 202) moves = !moves;
      }
      await pause(PACE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  #note(attached: Attached, { size, [HOST]: host }: Seen): void {
    if (size > attached.sizeGiB) this.extended += 1;
    if (host !== attached.host) this.moved += 1;
    Object.assign(attached, { sizeGiB: size, host });
  }

  /** As it is. An extend that the storm has cancelled is put right as an administrator would. */
  async #look(volumeId: string): Promise<Seen | undefined> {
    const volume = (await this.#ask('GET', `/volumes/${volumeId}`))?.body?.volume;
    if (volume?.status === 'error_extending')
      await this.#ask('POST', `/volumes/${volumeId}/action`, { 'os-reset_status': { status: 'in-use' } });
    return volume;
  }

  async #becomes(volumeId: string, status: string): Promise<void> {
    await condition(`volume ${volumeId} is ${status}`, LATE_MS, async () => {
      return (await this.#ask('GET', `/volumes/${volumeId}`))?.body?.volume?.status === status;
    });
  }

  #ask(method: Wish['method'], path: string, body?: object): ReturnType<Door['ask']> {
    return this.#door.ask(PROJECT, { method, path, ...(body && { body }) });
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers have every shape
  async #done(method: Wish['method'], path: string, body?: object): Promise<any> {
    const answer = await this.#ask(method, path, body);
    if (answer === undefined || answer.status >= 300)
      throw new Error(`${method} ${path}: ${JSON.stringify(answer ?? 'no answer')}`);
    return answer.body;
  }
}
