/**
 * Images of a small site: real ones, each made once a process, in the directory of a service that hands them out itself
 * (`far`, the default) or lets them be read where they lie (`near`).
 */
import { rmSync } from 'node:fs';
import { copyFile, mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DirectoryImages, type NewImage } from '../../src/clients/image-directory.ts';
import { exec } from '../../src/lib/exec.ts';
import type { Image, ImageRecord, ImageStore } from '../../src/model/image.ts';

const { signal } = new AbortController();

/** What a disk made from one of the images begins with. */
export const BOOT_SECTOR = Buffer.alloc(512, 'boot');
const DISK_BYTES = 1024 ** 2;

export class SiteImages implements ImageStore {
  /** Whether flows may read an image where it lies. */
  near = false;
  readonly #directory: DirectoryImages;
  readonly #path: string;

  constructor(directory: string) {
    this.#path = directory;
    this.#directory = new DirectoryImages({ directory });
  }

  add(wanted: Omit<NewImage, 'name'> & { readonly name?: string }, path: string): Promise<Image> {
    return this.#directory.add({ name: 'cirros', ...wanted }, path, signal);
  }

  whereItLies(image: Image): Promise<string> {
    return this.#directory.local(image, signal);
  }

  /** Something else is said of it from now on. */
  async change({ id }: Image, said: Readonly<Record<string, string>>): Promise<void> {
    const path = join(this.#path, `${id}.json`);
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...said }));
  }

  /** Ids, as they were fetched. */
  readonly fetched: string[] = [];

  show: ImageStore['show'] = (...asked) => this.#directory.show(...asked);

  named: ImageStore['named'] = (...asked) => this.#directory.named(...asked);

  local: ImageStore['local'] = async (image, until) => (this.near ? this.#directory.local(image, until) : null);

  locations: ImageStore['locations'] = () => this.#directory.locations();

  fetch: ImageStore['fetch'] = async (image, path, call) => {
    const lies = await this.#directory.local(image, call.signal);
    this.fetched.push(image.id);
    call.progress(0.5);
    await copyFile(lies, path);
    call.progress(1);
    return { path, temporary: true };
  };

  /** What was sent, without the work of hashing gigabytes: how it begins, and how much it was. */
  readonly uploads = new Map<string, Upload>();

  create: ImageStore['create'] = async (record) => {
    const { head = Buffer.alloc(0), bytes = null } = this.uploads.get(record.id) ?? {};
    this.uploads.set(record.id, { record, head, bytes });
  };

  upload: ImageStore['upload'] = async (record, content, { signal, progress }) => {
    let head = Buffer.alloc(0);
    let bytes = 0;
    this.uploads.set(record.id, { record, head, bytes: null });
    for await (const piece of content.read(signal)) {
      if (bytes === 0) head = Buffer.from(piece.subarray(0, HEAD_BYTES));
      bytes += piece.length;
      progress(bytes / content.bytes);
    }
    this.uploads.set(record.id, { record, head, bytes });
  };

  remove: ImageStore['remove'] = async (id) => void this.uploads.delete(id);
}

const HEAD_BYTES = 512;

interface Upload {
  readonly record: ImageRecord;
  /** The first of its bytes. */
  readonly head: Buffer;
  /** Null while it has none. */
  readonly bytes: number | null;
}

let made: Promise<DiskImages> | undefined;

interface DiskImages {
  readonly raw: string;
  readonly qcow2: string;
  /** The qcow2 in a gzip file. */
  readonly packed: string;
}

/** Paths of a disk as a raw file, as a qcow2, and as that compressed. */
export function diskImages(): Promise<DiskImages> {
  made ??= makeDiskImages();
  return made;
}

async function makeDiskImages(): Promise<DiskImages> {
  const directory = await mkdtemp(join(tmpdir(), `pumice-site-images-${process.pid}-`));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const [raw, qcow2] = [join(directory, 'disk'), join(directory, 'disk.qcow2')];
  const file = await open(raw, 'w');
  await file.write(BOOT_SECTOR, 0, BOOT_SECTOR.length, 0);
  await file.truncate(DISK_BYTES);
  await file.close();
  await exec(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-o', 'cluster_size=4k', raw, qcow2], { signal });
  const packed = `${qcow2}.gz`;
  await writeFile(packed, gzipSync(await readFile(qcow2)));
  return { raw, qcow2, packed };
}
