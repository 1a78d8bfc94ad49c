/** The bytes of images, read and written by a client of the cluster that is not the driver's (`pool-bytes.py`): one for all tests of a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CephCluster } from '../../ceph-cluster.ts';

const PROGRAM = join(import.meta.dirname, 'pool-bytes.py');

type Answer = readonly [number: number, answer: unknown, error: string | null];

export class PoolBytes {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #last = 0;

  constructor(ceph: CephCluster) {
    const argv = ['--pdeathsig', 'KILL', '/usr/bin/python3', '-B', PROGRAM, ceph.config, 'admin'];
    this.#child = spawn('setpriv', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout])
      if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
    if (this.#child.stdout === null) return;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const [number, answer, error] = JSON.parse(line) as Answer;
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error === null) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    });
  }

  async ask<Result>(pool: string, op: string, ...args: readonly unknown[]): Promise<Result> {
    this.#last += 1;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#last, { resolve, reject });
    this.#child.stdin?.write(`${JSON.stringify([this.#last, pool, op, args])}\n`);
    // It keeps nobody from ending, so somebody has to.
    const awake = setInterval(() => {}, 1_000);
    return (await promise.finally(() => clearInterval(awake))) as Result;
  }
}
