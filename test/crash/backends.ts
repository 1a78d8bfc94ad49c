/** What lies in the directories and the pool of the backends, and what should. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { faultOfContent } from './content.ts';
import type { Site } from './site.ts';

export interface Lying {
  readonly backend: string;
  readonly name: string;
  readonly bytes: number;
  /** What is wrong with it; null when it holds the content. */
  faultOf(content: string): Promise<string | null>;
}

const OWN = ['.pumice-backend', '.pumice-lock'];

export async function lying(site: Site): Promise<Lying[]> {
  const found: Lying[] = [];
  for (const { name: backend, directory } of site.backends) {
    if (site.pool !== null) found.push(...(await site.pool.lying(backend)));
    else
      for (const name of (await readdir(directory)).sort()) {
        if (OWN.includes(name) || name.startsWith('.tgtd')) continue;
        const path = join(directory, name);
        const faultOf = (content: string) => faultOfContent(path, content);
        found.push({ backend, name, bytes: (await lstat(path)).size, faultOf });
      }
  }
  return found;
}

/** Half-made and half-deleted things of backends, and downloads. */
export async function temporaries(site: Site): Promise<string[]> {
  const ours =
    site.pool !== null
      ? await site.pool.left()
      : (await lying(site))
          .filter(({ name }) => /^\.(tmp|del|moment)-/.test(name))
          .map(({ backend, name }) => join(backend, name));
  const downloads: string[] = [];
  for (const process of await readdir(site.directory, { withFileTypes: true })) {
    const directory = site.conversionDirectory(process.name);
    for (const name of await readdir(directory).catch(() => [])) downloads.push(join(directory, name));
  }
  return [...ours, ...downloads];
}
