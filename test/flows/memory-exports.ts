/** Exports that are only written down: whoever is reached has a file open, and may be made to wait, as over iSCSI. */
import { dirname } from 'node:path';
import type { Exported, ExportRef } from '../../src/drivers/driver.ts';
import type { Exporter, HeldClients } from '../../src/drivers/exports/exporter.ts';
import type { ConnectionInfo } from '../../src/model/attachment.ts';

export class MemoryExports implements Exporter {
  readonly protocol = 'iSCSI';
  /** The file that each attachment has open; of all backends of a site. */
  readonly #opened: Map<string, string>;
  readonly #directory: string;

  constructor(opened: Map<string, string>, directory: string) {
    this.#opened = opened;
    this.#directory = directory;
  }

  async start(): Promise<void> {}

  async ensure(path: string, { attachmentId }: ExportRef): Promise<ConnectionInfo> {
    this.#opened.set(attachmentId, path);
    return { driver_volume_type: 'iscsi', data: {} };
  }

  async remove(attachmentId: string): Promise<void> {
    this.#opened.delete(attachmentId);
  }

  async list(): Promise<readonly (Exported & { readonly path: string })[]> {
    const all = [...this.#opened].map(([attachmentId, path]) => ({ attachmentId, path }));
    return all.filter(({ path }) => dirname(path) === this.#directory);
  }

  async serves(path: string): Promise<boolean> {
    return [...this.#opened.values()].includes(path);
  }

  async grown(): Promise<void> {}

  quiesce<Result>(_files: unknown, body: (holding: readonly string[]) => Promise<Result>): Promise<Result> {
    return body([]);
  }

  async hold({ path }: { readonly path: string }): Promise<HeldClients> {
    const held = [...this.#opened].filter(([, opened]) => opened === path);
    return {
      bind: async () => {},
      goOn: async (now) => {
        for (const [attachmentId] of held) this.#opened.set(attachmentId, now);
      },
    };
  }
}
