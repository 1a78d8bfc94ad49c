/** A machine that has an image of the pool open (`image-client.py`): its own client of the cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { VolumeClient } from '../exports/checking-writer.ts';

const PROGRAM = join(import.meta.dirname, 'image-client.py');
const CLOSING_MS = 5_000;

export class ImageClient implements VolumeClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (error: number) => void>();
  readonly #bytes: number;
  #last = 0;

  constructor(config: string, pool: string, image: string, bytes: number) {
    this.#bytes = bytes;
    const argv = ['--pdeathsig', 'KILL', '/usr/bin/python3', '-B', PROGRAM, config, 'cinder', pool, image];
    this.#child = spawn('setpriv', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) return;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const [number, error] = JSON.parse(line) as [number, number];
      this.#waiting.get(number)?.(error);
      this.#waiting.delete(number);
    });
  }

  async write(at: number, data: Buffer): Promise<void> {
    this.#last += 1;
    const number = this.#last;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting.set(number, resolve);
    this.#child.stdin?.write(`${JSON.stringify([number, at, data.toString('base64')])}\n`);
    const error = await promise;
    if (error !== 0) throw new Error(`A write was answered ${error}.`);
  }

  async bytes(): Promise<number> {
    return this.#bytes;
  }

  /** It keeps its lock on the image, and answers nobody. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), CLOSING_MS);
    await ended;
    clearTimeout(late);
  }
}
