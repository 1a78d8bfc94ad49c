/**
 * Images of a pool as raw files of this machine, for those who read or write files: a `qemu-storage-daemon` for each, which shows the image through
 * FUSE. Holes are known (SEEK_DATA), and reading is past its cache.
 *
 * A daemon is told to end with this process and takes its file away; one that could not (the cluster hung, it was killed) leaves a mount that
 * answers nothing, and the next start takes that away. A daemon that ends by itself takes its file with it: who asks again gets a new one.
 */
import { mkdir, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { CommandFailed, CommandMissing, type Exec } from '../../lib/exec.ts';
import { DriverFailed } from '../../model/errors.ts';
import type { RbdAddress } from './helper-process.ts';
import { blockOptions } from './image-options.ts';

const READY_MS = 30_000;
/** In which a daemon ends that is told to. */
const END_MS = 5_000;

export type Access = 'read' | 'write';

interface Open {
  readonly access: Access;
  /** For which image it is open: itself, or what it was kept of. */
  readonly of: string;
  readonly path: Promise<string>;
  close(): Promise<void>;
}

export class ImageFiles {
  readonly #exec: Exec;
  readonly #address: RbdAddress;
  readonly #directory: string;
  readonly #open = new Map<string, Open>();

  /** `directory`: of this backend alone. It is made when it is needed. */
  constructor(exec: Exec, address: RbdAddress, directory: string) {
    this.#exec = exec;
    this.#address = address;
    this.#directory = directory;
  }

  /** Takes away what a process before this one left. */
  async start(signal: AbortSignal): Promise<void> {
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names) if (!this.#open.has(name)) await this.#takeAway(join(this.#directory, name), signal);
  }

  /** The path of a file with the content of the image, until it is closed. The same each time. */
  async open(image: string, access: Access, signal: AbortSignal, of: string = image): Promise<string> {
    const there = this.#open.get(image);
    if (there !== undefined && this.has(image, access)) return there.path;
    await there?.close();
    const opened = this.#begin(image, access, of);
    this.#open.set(image, opened);
    try {
      return await Promise.race([opened.path, aborted(signal)]);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Whether it is open so. */
  has(image: string, access: Access): boolean {
    const there = this.#open.get(image)?.access;
    return there === 'write' || there === access;
  }

  async close(image: string): Promise<void> {
    await this.#open.get(image)?.close();
  }

  /** The image, and what was kept of it. */
  async closeAllOf(image: string): Promise<void> {
    await Promise.all([...this.#open.values()].filter(({ of }) => of === image).map((each) => each.close()));
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.values()].map((each) => each.close()));
  }

  #begin(image: string, access: Access, of: string): Open {
    const path = join(this.#directory, image);
    const input = new PassThrough();
    const stop = new AbortController();
    const ready = Promise.withResolvers<void>();
    let said = '';
    const run = async (): Promise<void> => {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(path, '', { mode: 0o600 });
      await this.#exec([...ENDS_WITH_US, ...daemonArgv(this.#address, image, path, access)], {
        signal: stop.signal,
        timeoutMs: Number.POSITIVE_INFINITY,
        input,
        onOutput: (text) => {
          said = (said + text).slice(0, 1024);
          // It greets when all that it was told before is done.
          if (said.includes('"QMP"')) ready.resolve();
        },
      });
    };
    const ended = run()
      .catch((error: unknown) => error)
      .then(async (error) => {
        if (this.#open.get(image) === opened) this.#open.delete(image);
        ready.reject(unopened(image, error));
        await this.#takeAway(path, new AbortController().signal);
      });
    const opened: Open = {
      access,
      of,
      path: within(ready.promise, READY_MS, () => unopened(image, undefined)).then(() => path),
      close: async () => {
        input.write('{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n');
        await within(ended, END_MS, () => undefined).catch(() => stop.abort(new Error('It did not end.')));
        await ended;
      },
    };
    opened.path.catch(() => {});
    return opened;
  }

  async #takeAway(path: string, signal: AbortSignal): Promise<void> {
    const real = join(await realpath(this.#directory), basename(path));
    if ((await mounts()).includes(real)) await this.#unmount(real, signal);
    await rm(path, { force: true });
  }

  async #unmount(path: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#exec(['fusermount3', '-u', '-z', '--', path], { signal });
    } catch (error) {
      if (!(error instanceof CommandFailed || error instanceof CommandMissing)) throw error;
      await this.#exec(['umount', '--lazy', '--', path], { signal });
    }
  }
}

/** It takes its file away, which SIGKILL would not let it. It writes nothing by itself. */
const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'TERM'] as const;

type Argv = readonly [string, ...string[]];

export const daemonArgv = (address: RbdAddress, image: string, path: string, access: Access): Argv => [
  'qemu-storage-daemon',
  '--blockdev',
  `${blockOptions(address, image)},node-name=image,cache.direct=on,discard=unmap,read-only=${access === 'read' ? 'on' : 'off'}`,
  '--export',
  `type=fuse,id=file,node-name=image,mountpoint=${path.replaceAll(',', ',,')},writable=${access === 'write' ? 'on' : 'off'}`,
  '--chardev',
  'stdio,id=ours',
  '--monitor',
  'chardev=ours',
];

/** Where anything is mounted. */
async function mounts(): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.map((line) =>
    (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
  );
}

function unopened(image: string, error: unknown): DriverFailed {
  const why =
    error instanceof CommandMissing
      ? `${error.message} (Debian's packages are qemu-system-common and qemu-block-extra)`
      : error instanceof CommandFailed
        ? error.stderr.trim()
        : 'it was not ready in time';
  const hint = /fuse/i.test(why) ? ' Images are shown as files through /dev/fuse, which this machine must have.' : '';
  return new DriverFailed(`${image} could not be opened as a file: ${why}.${hint}`, { cause: error });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function within<T>(work: Promise<T>, ms: number, late: () => unknown): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  return await Promise.race([work, over]).finally(() => clearTimeout(timer));
}
