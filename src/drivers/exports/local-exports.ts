/**
 * Exports to the machine that holds the files: a link for each attachment, and its path for the client.
 *
 * Removing the link takes the path away from every program that has not opened it yet. A program that has the file open
 * keeps it until it closes it; that is for the machine's own operator to see to, who could open any file of the backend
 * anyway.
 */

import { readlink, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errno } from '../../lib/errno.ts';
import { SharedCall } from '../../lib/shared-call.ts';
import { syncDirectory } from '../../lib/sync-directory.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import { ConsistentSnapshotRefused, InvalidConnector, LiveMoveRefused } from '../../model/errors.ts';
import type { ExportRef } from '../driver.ts';
import { removeIfThere } from '../file/publish.ts';
import { hiddenNames } from '../hidden-names.ts';
import { type ExportedFile, type Exporter, type HeldClients, NOBODY } from './exporter.ts';

export interface LocalExportsOptions {
  /** Where the links are: with the files, or elsewhere (devices). */
  readonly directory: string;
  /** What the machine may be called by its clients. */
  readonly hosts: readonly string[];
}

const PREFIX = '.export-';

export class LocalExports implements Exporter {
  readonly protocol = 'local';
  readonly #options: LocalExportsOptions;
  readonly #syncs = new SharedCall(() => syncDirectory(this.#options.directory));

  constructor(options: LocalExportsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {}

  async ensure(path: string, { attachmentId, connector, volume }: ExportRef): Promise<ConnectionInfo> {
    const { hosts } = this.#options;
    if (typeof connector.host !== 'string' || !hosts.includes(connector.host)) {
      throw new InvalidConnector(
        `Volume ${volume.id} can be reached on ${hosts.join(' or ')} only, by its path; the connector is of ${JSON.stringify(connector.host ?? null)}. ` +
          'A backend with target_protocol = "iscsi" can be reached from elsewhere.',
      );
    }
    const link = this.#link(attachmentId);
    const wanted = this.#targetOf(path);
    if (!(await linked(wanted, link)) && (await target(link)) !== wanted) {
      await removeIfThere(link);
      await symlink(wanted, link);
    }
    await this.#syncs.run();
    return { driver_volume_type: 'local', data: { device_path: link, volume_id: volume.id } };
  }

  async remove(attachmentId: string): Promise<void> {
    const { directory } = this.#options;
    const link = this.#link(attachmentId);
    // A longer name is what a crash of an earlier release left. Beside the link itself, `list` tells of it and it is removed next.
    if (!(await removeIfThere(link))) {
      for (const name of await hiddenNames(directory)) {
        if (name.startsWith(basename(link))) await removeIfThere(join(directory, name));
      }
    }
    await this.#syncs.run();
  }

  async serves(path: string): Promise<boolean> {
    return (await this.#served([path])) !== null;
  }

  async list(): Promise<readonly ExportedFile[]> {
    const ids = (await this.#links()).map((name) => name.slice(PREFIX.length).slice(0, 36));
    return [...new Set(ids)].map((attachmentId) => ({ attachmentId, path: null }));
  }

  async grown(): Promise<void> {}

  /** A program of this machine that has a path waits for nobody. */
  async quiesce<Result>(
    { paths }: { readonly paths: readonly string[] },
    body: (holding: readonly string[]) => Promise<Result>,
  ): Promise<Result> {
    await this.#refuseServed(paths);
    const result = await body([]);
    // One that was opened meanwhile may have been written to.
    await this.#refuseServed(paths);
    return result;
  }

  async hold({ path }: { readonly path: string }): Promise<HeldClients> {
    if (!(await this.serves(path))) return NOBODY;
    throw new LiveMoveRefused(
      `${basename(path)} is attached by its path on this machine, and nobody can be kept from writing to it: detach it first, or use a backend with target_protocol = "iscsi".`,
    );
  }

  async #refuseServed(paths: readonly string[]): Promise<void> {
    const file = await this.#served(paths);
    if (file === null) return;
    throw new ConsistentSnapshotRefused(
      `${file} is attached by its path on this machine, and nobody can be kept from writing to it: detach it first, or use a backend with target_protocol = "iscsi".`,
    );
  }

  /** The first that is attached of these files. */
  async #served(paths: readonly string[]): Promise<string | null> {
    const files = new Set(paths.map((path) => this.#targetOf(path)));
    for (const link of await this.#links()) {
      const file = await target(join(this.#options.directory, link));
      if (file != null && files.has(file)) return basename(file);
    }
    return null;
  }

  /** Of files in the directory the links stay right when it is mounted elsewhere. */
  #targetOf(path: string): string {
    return dirname(path) === this.#options.directory ? basename(path) : path;
  }

  async #links(): Promise<string[]> {
    return (await hiddenNames(this.#options.directory)).filter((name) => name.startsWith(PREFIX));
  }

  #link(attachmentId: string): string {
    return join(this.#options.directory, `${PREFIX}${attachmentId}`);
  }
}

/** False when something has the name. */
async function linked(to: string, link: string): Promise<boolean> {
  return symlink(to, link).then(
    () => true,
    (error: unknown) => {
      if (errno(error) === 'EEXIST') return false;
      throw error;
    },
  );
}

/** Undefined when nothing is there; null when it is something else. */
async function target(link: string): Promise<string | null | undefined> {
  try {
    return await readlink(link);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    if (errno(error) === 'EINVAL') return null;
    throw error;
  }
}
