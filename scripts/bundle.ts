/**
 * Makes the bundle: the whole program in a few files, so that a start loads forty of them instead of 1,400.
 *
 *     node scripts/bundle.ts [DIRECTORY]
 *
 * The page lies in it as a browser gets it, in a directory of its own.
 *
 * It is made when Pumice is installed (`need_bundle` of scripts/bootstrap.sh), from the sources and the packages of the lockfile, and
 * split where they import dynamically: what is loaded late unbuilt is loaded late from the bundle too. It is only a faster
 * form: whoever develops runs the sources, and `bin/pumice` runs the bundle only while `sources`, a list of what it was made of
 * with hashes for `sha256sum -c`, is right.
 *
 * Each bundle is in a directory of its own, `.build/HASH`, which is whole before the link `.build/current` leads to it. A service that
 * runs may yet load parts of the one before, so that one is left; those before it are removed.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { buildPageFrom } from '../src/api/page/build-page.ts';
import { builtins, coreTogether, mapsOfOurs } from './bundle-plugins.ts';

const ROOT = join(import.meta.dirname, '..');

/** What else decides how the bundle comes out. */
const RECIPE = ['package-lock.json', 'package.json', 'scripts/bundle-plugins.ts', 'scripts/bundle.ts', 'tsconfig.json'];

/**
 * Fastify asks for the first three where a route has a schema of its own, or a request is made up: no part of this service does.
 * The page that is built here is not built again.
 */
const NEVER_LOADED = ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request', 'esbuild'];

/** How each program becomes a bundle. */
export const BUNDLING = {
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24.11',
  external: NEVER_LOADED,
  plugins: [mapsOfOurs, builtins],
  sourcemap: true,
  sourcesContent: false,
  // Names stay: an error is called as its class is.
  minifyWhitespace: true,
  minifySyntax: true,
  // An uncaught error is shown with its line.
  lineLimit: 200,
  metafile: true,
  logLevel: 'silent',
} as const satisfies BuildOptions;

/** What every service is made of. */
const CORE = ['src/cli/serve.ts', 'src/wiring.ts', 'src/clients/image-directory.ts'];
/** Commands that people wait for, and that do without the service: they load only what is theirs. */
const QUICK_COMMANDS = /^src\/cli\/(flows|resources|why|top|passwd|schedules)/;

/** What a service may load when it runs: a part of its own, or a command that is more than a quick one. */
function lateModules({ inputs }: Metafile): readonly string[] {
  const imported = Object.values(inputs).flatMap(({ imports }) => imports);
  const late = imported.filter(({ kind, external }) => kind === 'dynamic-import' && !external).map(({ path }) => path);
  const isNone = (file: string): boolean => file === 'src/cli/program.ts' || QUICK_COMMANDS.test(file);
  return late.filter((file) => file.startsWith('src/') && !isNone(file));
}

const programs = (): readonly string[] => [
  'src/main.ts',
  ...globSync(['src/**/*-thread.ts', 'src/**/*-child.ts'], { cwd: ROOT }),
];

/** Resolves with the directory of the bundle. Rejects when it cannot be made, and leaves what was there. */
export async function bundle(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const made = mkdtempSync(join(directory, 'making-'));
  try {
    // Threads and children are programs of their own, and stand beside the chunk that begins them, as does whatever is no module.
    const options = {
      ...BUNDLING,
      absWorkingDir: ROOT,
      entryPoints: Object.fromEntries(programs().map((file) => [basename(file, '.ts'), file])),
      outdir: made,
    };
    const late = lateModules((await build({ ...options, write: false })).metafile);
    const plugins = [...options.plugins, coreTogether(ROOT, CORE, late)];
    const { metafile } = await build({ ...options, plugins });
    const others = globSync('src/**/*.{pl,py}', { cwd: ROOT });
    for (const file of others) copyFileSync(join(ROOT, file), join(made, basename(file)));
    const page = await buildPageFrom();
    mkdirSync(join(made, 'page'));
    for (const { name, identity, br, gzip } of page.files) {
      writeFileSync(join(made, 'page', name), identity);
      writeFileSync(join(made, 'page', `${name}.br`), br);
      writeFileSync(join(made, 'page', `${name}.gz`), gzip);
    }
    const ours = Object.keys(metafile.inputs).filter((file) => file.startsWith('src/'));
    const sources = [...ours, ...others, ...page.sources, ...RECIPE].sort().map((file) => `${hashOf(file)}  ${file}\n`);
    writeFileSync(join(made, 'sources'), sources.join(''));
    return place(made, directory, createHash('sha256').update(sources.join('')).digest('hex').slice(0, 16));
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

const hashOf = (file: string): string =>
  createHash('sha256')
    .update(readFileSync(join(ROOT, file)))
    .digest('hex');

/** Gives it its name, and leads `current` to it. */
function place(made: string, directory: string, name: string): string {
  const target = join(directory, name);
  const current = join(directory, 'current');
  const before = linkOf(current);
  rmSync(target, { recursive: true, force: true });
  renameSync(made, target);
  symlinkSync(name, `${made}.link`);
  renameSync(`${made}.link`, current);
  for (const each of readdirSync(directory)) {
    if (![name, before, 'current'].includes(each)) rmSync(join(directory, each), { recursive: true, force: true });
  }
  return target;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

if (import.meta.main) await bundle(process.argv[2] ?? join(ROOT, '.build'));
