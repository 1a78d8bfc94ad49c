/**
 * The exports of a backend beside others of its process, whose daemons may serve files of this one: a volume that moved here while it was
 * attached stays with the daemon that its clients know, under the same name and at the same address, until they let it go.
 *
 * Whose a target is says the file that it has open: so each backend tells of its own, wherever they are served, and ends no other's.
 * A new attachment is served by the backend's own daemon, one that is made again by the one that it was reached through.
 */
import { dirname } from 'node:path';
import type { ConnectionInfo } from '../../model/attachment.ts';
import type { ExportRef } from '../driver.ts';
import type { ExportedFile, Exporter, FileToHold, HeldClients } from './exporter.ts';
import type { IscsiExports } from './iscsi-exports.ts';

/** Another backend of the process. */
export interface Neighbour {
  readonly directory: string;
  /** What it exports by a daemon of its own; null when it has none. */
  readonly exports: IscsiExports | null;
}

interface JointExportsOptions {
  readonly directory: string;
  readonly own: Exporter;
  readonly neighbours: readonly Neighbour[];
}

export class JointExports implements Exporter {
  readonly #options: JointExportsOptions;
  readonly #daemons: readonly IscsiExports[];

  constructor(options: JointExportsOptions) {
    this.#options = options;
    this.#daemons = options.neighbours.flatMap(({ exports }) => exports ?? []);
  }

  get protocol(): string {
    return this.#options.own.protocol;
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#options.own.start(signal);
  }

  ensure(path: string, wanted: ExportRef, signal: AbortSignal): Promise<ConnectionInfo> {
    const portal = wanted.reached?.data.target_portal;
    const daemon = this.#daemons.find((each) => each.portal === portal);
    return (daemon ?? this.#options.own).ensure(path, wanted, signal);
  }

  async remove(attachmentId: string, signal: AbortSignal): Promise<void> {
    for (const each of this.#all()) await each.remove(attachmentId, signal, (path) => this.#isAnothers(path));
  }

  async list(signal: AbortSignal): Promise<readonly ExportedFile[]> {
    const all: (readonly ExportedFile[])[] = [];
    for (const each of this.#all()) all.push(await each.list(signal));
    const [own = [], ...others] = all;
    return [
      ...own.filter(({ path }) => path === null || !this.#isAnothers(path)),
      ...others.flat().filter(({ path }) => path !== null && dirname(path) === this.#options.directory),
    ];
  }

  async serves(path: string, signal: AbortSignal): Promise<boolean> {
    for (const each of this.#all()) if (await each.serves(path, signal)) return true;
    return false;
  }

  async grown(path: string, signal: AbortSignal): Promise<void> {
    for (const each of this.#all()) await each.grown(path, signal);
  }

  quiesce<Result>(
    files: { readonly paths: readonly string[]; readonly limitMs: number },
    body: (holding: readonly string[]) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const behind = (held: readonly string[], [next, ...rest]: readonly Exporter[]): Promise<Result> =>
      next === undefined ? body(held) : next.quiesce(files, (holding) => behind([...held, ...holding], rest), signal);
    return behind([], this.#inOrder());
  }

  async hold(file: FileToHold, signal: AbortSignal): Promise<HeldClients> {
    const all: HeldClients[] = [];
    const each = async (act: (held: HeldClients) => Promise<void>): Promise<void> => {
      const ends = await Promise.allSettled(all.map(act));
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    };
    const held: HeldClients = { bind: () => each((one) => one.bind()), goOn: (path) => each((one) => one.goOn(path)) };
    try {
      for (const exports of await this.#servingLast(file.path, signal)) all.push(await exports.hold(file, signal));
      return held;
    } catch (error) {
      await held.goOn(file.path).catch(() => {});
      throw error;
    }
  }

  #all(): readonly Exporter[] {
    return [this.#options.own, ...this.#daemons];
  }

  /** The same for every backend: who holds several daemons at once waits for nobody who waits for him. */
  #inOrder(): readonly Exporter[] {
    const portal = (each: Exporter): string => ('portal' in each ? String(each.portal) : '');
    return this.#all().toSorted((a, b) => (portal(a) < portal(b) ? -1 : 1));
  }

  /** In order, but for those who let nobody reach a file: to ask them takes some milliseconds, in which nobody is to wait yet. */
  async #servingLast(path: string, signal: AbortSignal): Promise<readonly Exporter[]> {
    const [others, serving]: Exporter[][] = [[], []];
    for (const each of this.#inOrder()) ((await each.serves(path, signal)) ? serving : others)?.push(each);
    return [...(others ?? []), ...(serving ?? [])];
  }

  #isAnothers(path: string): boolean {
    return this.#options.neighbours.some(({ directory }) => directory === dirname(path));
  }
}
