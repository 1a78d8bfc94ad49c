/**
 * Exports to the machine that holds the files: a link for each attachment, and its path for the client.
 *
 * Removing the link takes the path away from every program that has not opened it yet. A program that has the file open
 * keeps it until it closes it; that is for the machine's own operator to see to, who could open any file of the backend
 * anyway.
 */

import { readdir, readlink, rename, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { uuid } from '../../lib/clock.ts';
import { errno } from '../../lib/errno.ts';
import { syncDirectory } from '../../lib/sync-directory.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import { InvalidConnector } from '../../model/errors.ts';
import type { Exported, ExportRef } from '../driver.ts';
import { removeIfThere } from '../file/publish.ts';
import type { Exporter } from './exporter.ts';

export interface LocalExportsOptions {
  readonly directory: string;
  /** What the machine may be called by its clients. */
  readonly hosts: readonly string[];
}

const PREFIX = '.export-';

export class LocalExports implements Exporter {
  readonly protocol = 'local';
  readonly #options: LocalExportsOptions;

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
    if ((await target(link)) !== basename(path)) {
      const fresh = `${link}.${uuid()}`;
      await symlink(basename(path), fresh);
      await rename(fresh, link);
      await syncDirectory(dirname(link));
    }
    return { driver_volume_type: 'local', data: { device_path: link, volume_id: volume.id } };
  }

  async remove(attachmentId: string): Promise<void> {
    const link = this.#link(attachmentId);
    for (const name of await readdir(dirname(link))) {
      if (name.startsWith(basename(link))) await removeIfThere(join(dirname(link), name));
    }
    await syncDirectory(dirname(link));
  }

  async list(): Promise<readonly Exported[]> {
    const names = await readdir(this.#options.directory);
    const ids = names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length).slice(0, 36));
    return [...new Set(ids)].map((attachmentId) => ({ attachmentId }));
  }

  async grown(): Promise<void> {}

  #link(attachmentId: string): string {
    return join(this.#options.directory, `${PREFIX}${attachmentId}`);
  }
}

async function target(link: string): Promise<string | null> {
  try {
    return await readlink(link);
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'EINVAL') return null;
    throw error;
  }
}
