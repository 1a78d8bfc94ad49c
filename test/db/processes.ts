/** Runs a program of `test/db/programs` and talks with it by lines; it is killed at the end, whatever happens. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Child {
  /** Its next line, or what it died of. */
  line(): Promise<string>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

export async function withProcess<T>(
  program: string,
  args: readonly string[],
  body: (child: Child) => Promise<T>,
): Promise<T> {
  const path = fileURLToPath(new URL(`programs/${program}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    return await body({
      line: async () => {
        const { value, done } = await lines.next();
        if (done) throw new Error(`${program} ended: ${errors}`);
        return value;
      },
      kill,
      freeze: () => child.kill('SIGSTOP'),
      thaw: () => child.kill('SIGCONT'),
    });
  } finally {
    await kill();
  }
}
