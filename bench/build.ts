/**
 * The builds that are measured: this checkout, and with `--beside REV` another revision's, unpacked next to it. Both run on this
 * Node, the other with the packages of its own lockfile. What a figure asks of a build is what `bench/service.ts` and `bin/pumice`
 * of that revision give.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beside } from './processes.ts';

export interface Build {
  /** As a table names it. */
  readonly name: string;
  readonly root: string;
}

export const THIS_BUILD: Build = { name: 'this build', root: beside('..') };

/** Unpacks a revision into a directory that is not there yet. Throws when git knows no such revision. */
export function unpack(revision: string, directory: string): Build {
  const { root } = THIS_BUILD;
  const git = (...args: string[]): Buffer => execFileSync('git', args, { cwd: root, maxBuffer: 2 ** 28 });
  const commit = git('rev-parse', '--short', '--verify', `${revision}^{commit}`).toString().trim();
  mkdirSync(directory);
  execFileSync('tar', ['-x', '-C', directory], { input: git('archive', commit) });
  const lockfile = (of: string): string => readFileSync(join(of, 'package-lock.json'), 'utf8');
  if (lockfile(directory) === lockfile(root)) symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  else execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: directory });
  symlinkSync(join(root, '.node'), join(directory, '.node'));
  return { name: `build ${commit}`, root: directory };
}

const made = new Set<string>();

/** As `npm run bootstrap` leaves it, where that revision has a bundle. */
export function bundled({ root }: Build): void {
  const program = join(root, 'scripts', 'bundle.ts');
  if (!made.has(root) && existsSync(program)) execFileSync(process.execPath, [program], { stdio: 'inherit' });
  made.add(root);
}
