/** Helpers of a client, with the process id of the last one that was begun: it is killed, frozen and thawed. */
import { type Exec, exec } from '../../../src/lib/exec.ts';

export class Helpers {
  begun = 0;
  killOnSight = false;
  /** Before it has said anything. */
  freezeOnSight = false;
  #pid: Promise<number> | undefined;

  readonly exec: Exec = (argv, options) => {
    this.begun += 1;
    // The shell has its own id from the kernel, and becomes the program.
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#pid = promise;
    let told = false;
    const watched = { ...options };
    const { onOutput } = options;
    watched.onOutput = (text) => {
      const [first = '', ...others] = told ? ['', text] : text.split('\n');
      if (!told) resolve(Number(first));
      const rest = told ? text : others.join('\n');
      if (!told && this.freezeOnSight) this.freeze();
      told = true;
      if (this.killOnSight) this.kill();
      if (rest !== '') onOutput?.(rest);
    };
    return exec(['sh', '-c', 'echo $$; exec "$@"', 'sh', ...argv], watched);
  };

  kill(): void {
    this.#signal('SIGKILL');
  }

  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  #signal(name: NodeJS.Signals): void {
    void this.#pid?.then((pid) => process.kill(pid, name)).catch(() => {});
  }
}
