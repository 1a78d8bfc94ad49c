/**
 * `pumice passwd`: the hash of a password, for the configuration.
 *
 * The password is typed twice and not shown; or it is the first line of standard input, for programs. It is never an
 * argument, which every user of the machine could read.
 */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { hashPassword } from '../lib/password.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';

export async function passwd({ out, err, signal }: CliContext): Promise<number> {
  const typed = process.stdin.isTTY;
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: typed });
  try {
    const answers = lines[Symbol.asyncIterator]();
    const read = async (prompt: string): Promise<string> => {
      if (typed) err.line(prompt);
      const { value } = await Promise.race([answers.next(), aborted(signal)]);
      return typeof value === 'string' ? value : '';
    };
    const password = await read('Password:');
    if (password === '') throw new Complaint('There was no password.');
    if (typed && (await read('The same again:')) !== password) throw new Complaint('The two are not the same.');
    out.line(await hashPassword(password));
    return EXIT.ok;
  } finally {
    lines.close();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
