/**
 * A real iSCSI initiator, libiscsi in `qemu-io`, as a client of an attachment. It asks a target that is gone again for ever and
 * then hears no signal but SIGKILL, so it has a time limit everywhere.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { missing } from '../drivers/file/file-systems.ts';

const run = promisify(execFile);

const PLUGIN = 'block-iscsi.so';
const PLUGIN_DIRECTORIES = ['/usr/lib/x86_64-linux-gnu/qemu', '/usr/lib/aarch64-linux-gnu/qemu', '/usr/lib64/qemu-kvm'];

/** Null when there is one. */
export const noInitiator: string | null =
  missing('qemu-io', 'iscsi-inq', 'timeout') ??
  (PLUGIN_DIRECTORIES.some((directory) => existsSync(`${directory}/${PLUGIN}`))
    ? null
    : 'qemu-io without iSCSI: qemu-block-extra not installed');

/** As attachments tell it. */
export interface Reached {
  readonly target_portal: string;
  readonly target_iqn: string;
  readonly target_lun: number;
  readonly auth_username: string;
  readonly auth_password: string;
}

const MIB = 1024 ** 2;
const LIMIT_SECONDS = '60';

export class Initiator {
  readonly #name: string;
  readonly #reached: Reached;
  readonly #secretFile: string;

  private constructor(name: string, reached: Reached, secretFile: string) {
    this.#name = name;
    this.#reached = reached;
    this.#secretFile = secretFile;
  }

  static async of(name: string, reached: Reached, directory: string): Promise<Initiator> {
    const secretFile = `${directory}/secret-${reached.auth_username}-${Math.random()}`;
    await writeFile(secretFile, reached.auth_password, { mode: 0o600 });
    return new Initiator(name, reached, secretFile);
  }

  /** What the commands of `qemu-io` printed. Rejects when any of them failed, or a pattern was not there. */
  async io(...commands: readonly string[]): Promise<string> {
    const { stdout, stderr } = await run('timeout', ['-s', 'KILL', LIMIT_SECONDS, 'qemu-io', ...this.#args(commands)]);
    const said = `${stdout}${stderr}`;
    if (/failed|error|denied|can't|could not/i.test(said)) throw new Error(said);
    return said;
  }

  /** Writes one mebibyte after the other, each filled with its own byte. */
  writing(mebibytes: number): Writer {
    const commands = Array.from({ length: mebibytes }, (_, at) => `write -P ${byteOf(at)} ${at}M 1M`);
    return new Writer(this.#args([...commands, 'flush']));
  }

  /** The name Linux would know the disk by. */
  async wwid(): Promise<string> {
    const { target_portal, target_iqn, target_lun, auth_username, auth_password } = this.#reached;
    const url = `iscsi://${auth_username}%${auth_password}@${target_portal}/${target_iqn}/${target_lun}`;
    const { stdout } = await run('timeout', [
      '-s',
      'KILL',
      '20',
      'iscsi-inq',
      '-i',
      this.#name,
      '-e',
      '1',
      '-c',
      '131',
      url,
    ]);
    return stdout;
  }

  #args(commands: readonly string[]): string[] {
    const { target_portal, target_iqn, target_lun, auth_username } = this.#reached;
    const options = [
      'driver=raw',
      'file.driver=iscsi',
      'file.transport=tcp',
      `file.portal=${target_portal}`,
      `file.target=${target_iqn}`,
      `file.lun=${target_lun}`,
      `file.user=${auth_username}`,
      'file.password-secret=chap',
      `file.initiator-name=${this.#name}`,
    ];
    const secret = ['--object', `secret,id=chap,file=${this.#secretFile}`];
    return [...secret, ...commands.flatMap((command) => ['-c', command]), '--image-opts', options.join(',')];
  }
}

export const byteOf = (mebibyte: number): number => (mebibyte % 250) + 1;

/** A client at work. */
export class Writer {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = '';
  #heard: () => void = () => {};

  constructor(args: readonly string[]) {
    // What it says goes through a line at a time, not when a buffer is full.
    this.#child = spawn('timeout', ['-s', 'KILL', LIMIT_SECONDS, 'stdbuf', '-oL', 'qemu-io', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
        this.#heard();
      });
    }
    this.#ended = once(this.#child, 'close').then(() => this.#heard());
  }

  /** Mebibytes whose write was answered. */
  get written(): number[] {
    return [...this.#said.matchAll(/^wrote \d+\/\d+ bytes at offset (\d+)$/gm)].map(([, at]) => Number(at) / MIB);
  }

  /** Resolves when so many writes were answered; rejects when it ends before. */
  async wrote(mebibytes: number): Promise<void> {
    while (this.written.length < mebibytes) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw new Error(`It ended: ${this.#said}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Resolves when it has written all; rejects when it could not. */
  async done(): Promise<void> {
    await this.#ended;
    if (this.#child.exitCode !== 0 || /error|failed/i.test(this.#said)) throw new Error(`It failed: ${this.#said}`);
  }

  async kill(): Promise<void> {
    if (this.#child.pid !== undefined && this.#child.exitCode === null) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    await this.#ended;
  }
}
