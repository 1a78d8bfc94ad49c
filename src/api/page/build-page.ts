/**
 * Builds the page from `page/`, by esbuild: one script and one that all tabs share, one style sheet, the icon, and the HTML that names them.
 *
 * Called when Pumice is installed (`scripts/bundle.ts`), and at the first request by whoever runs the sources; a bundle never loads
 * this file.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { build, stop } from 'esbuild';
import { PAGE_NAME, type PageFile } from './page-file.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** Where the files are, as the HTML says it: below whatever the page's own address is. */
const PLACE = 'page';

export const PAGE_SOURCES = ['page/page.html', 'page/icon.svg', 'page/tsconfig.json'] as const;

/** Rejects when something does not compile. */
export async function buildPage(): Promise<readonly PageFile[]> {
  return (await buildPageFrom()).files;
}

/** With all that it was made of, as paths in the checkout. */
export async function buildPageFrom(): Promise<{
  readonly files: readonly PageFile[];
  readonly sources: readonly string[];
}> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['page/main.tsx', 'page/stream-worker.ts', 'page/style.css'],
    outdir: PLACE,
    entryNames: '[name]-[hash]',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome123', 'firefox120', 'safari17.5'],
    minify: true,
    legalComments: 'none',
    tsconfig: 'page/tsconfig.json',
    write: false,
    metafile: true,
    logLevel: 'silent',
  }).finally(stop);
  const built = new Map(outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]));
  const icon = readFileSync(join(ROOT, 'page/icon.svg'));
  built.set(`icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`, icon);
  const named = (beginning: string): string =>
    `${PLACE}/${[...built.keys()].find((name) => name.startsWith(beginning))}`;
  const html = readFileSync(join(ROOT, 'page/page.html'), 'utf8')
    .replace('ICON', named('icon-'))
    .replace('STREAM', named('stream-worker-'))
    .replace('STYLE', named('style-'))
    .replace('SCRIPT', named('main-'));
  built.set(PAGE_NAME, Buffer.from(html));
  const files = await Promise.all([...built].map(([name, bytes]) => compressed(name, bytes)));
  return {
    files,
    sources: [...Object.keys(metafile.inputs).filter((file) => file.startsWith('page/')), ...PAGE_SOURCES],
  };
}

/** As small as they go: it is done once. */
async function compressed(name: string, identity: Buffer): Promise<PageFile> {
  return {
    name,
    identity,
    br: await promisify(brotliCompress)(identity),
    gzip: await promisify(gzip)(identity, { level: 9 }),
  };
}
