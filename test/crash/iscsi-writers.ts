/**
 * Clients that have volumes attached over iSCSI and write to them through the whole storm, while these are extended again and
 * again. Each reads back every block that it was answered.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CheckingWriter } from '../drivers/exports/checking-writer.ts';
import { IscsiSession } from '../drivers/exports/iscsi-session.ts';
import { condition } from './condition.ts';
import type { Door, Wish } from './door.ts';
import type { SiteBackend } from './site.ts';

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
}

export class IscsiWriters {
  /** Extends that were done while a client wrote. */
  extended = 0;
  readonly #door: Door;
  readonly #attached: Attached[] = [];
  readonly #stop = new AbortController();
  #clients: Promise<void>[] = [];

  constructor(door: Door) {
    this.#door = door;
  }

  /** Before anything is killed. What it asks of `beside` is no promise of a volume. */
  async start(backend: SiteBackend, beside: Door): Promise<void> {
    const type = { name: backend.name, extra_specs: { volume_backend_name: backend.name } };
    await beside.ask(PROJECT, { method: 'POST', path: '/types', body: { volume_type: type } });
    const limits = { quota_set: { gigabytes: -1 } };
    await beside.ask(PROJECT, { method: 'PUT', path: `/os-quota-sets/${PROJECT}`, body: limits });
    for (let made = 0; made < VOLUMES; made += 1) await this.#attach(backend, made);
    this.#clients = this.#attached.map((each) => this.#extend(each));
  }

  /** What was lost; nothing is attached any more. Only while the service is up. */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort();
    await Promise.all(this.#clients);
    const found: string[] = [];
    for (const { volumeId, attachmentId, writer } of this.#attached) {
      await condition(
        `volume ${volumeId} is in use`,
        LATE_MS,
        async () => (await this.#look(volumeId))?.status === 'in-use',
      );
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

  async #attach({ name, directory }: SiteBackend, made: number): Promise<void> {
    const initiator = `iqn.2004-10.test:chaos-${made}`;
    const volume = { size: 1, name: `written-${made}`, volume_type: name };
    const volumeId = (await this.#done('POST', '/volumes', { volume })).volume.id;
    await this.#becomes(volumeId, 'available');
    const wish = { attachment: { volume_uuid: volumeId, connector: { host: `chaos-${made}`, initiator } } };
    const { attachment } = await this.#done('POST', '/attachments', wish);
    await this.#done('POST', `/attachments/${attachment.id}/action`, { 'os-complete': null });
    const session = await IscsiSession.open(initiator, attachment.connection_info);
    const backing = await open(join(directory, `volume-${volumeId}`), 'r');
    const writer = await CheckingWriter.start(session, backing, DEPTH);
    this.#attached.push({ volumeId, attachmentId: attachment.id, writer, sizeGiB: 1 });
  }

  async #extend(attached: Attached): Promise<void> {
    const { volumeId } = attached;
    while (!this.#stop.signal.aborted) {
      const body = { 'os-extend': { new_size: attached.sizeGiB + 1 } };
      await this.#ask('POST', `/volumes/${volumeId}/action`, body);
      const volume = await this.#look(volumeId);
      if (volume?.status === 'in-use' && volume.size > attached.sizeGiB) {
        attached.sizeGiB = volume.size;
        this.extended += 1;
      }
      await pause(PACE_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** As it is. An extend that the storm has cancelled is put right as an administrator would. */
  async #look(volumeId: string): Promise<{ readonly status: string; readonly size: number } | undefined> {
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
  async #done(method: Wish['method'], path: string, body: object): Promise<any> {
    const answer = await this.#ask(method, path, body);
    if (answer === undefined || answer.status >= 300)
      throw new Error(`${method} ${path}: ${JSON.stringify(answer ?? 'no answer')}`);
    return answer.body;
  }
}
