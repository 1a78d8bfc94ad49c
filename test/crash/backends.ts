/** What lies in the directories of the backends, and what should. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Site } from './site.ts';

export interface Lying {
  readonly backend: string;
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

const OWN = ['.pumice-backend', '.pumice-lock'];

export async function lying(site: Site): Promise<Lying[]> {
  const found: Lying[] = [];
  for (const { name: backend, directory } of site.backends) {
    for (const name of (await readdir(directory)).sort()) {
      const path = join(directory, name);
      if (!OWN.includes(name) && !name.startsWith('.tgtd'))
        found.push({ backend, name, path, bytes: (await lstat(path)).size });
    }
  }
  return found;
}

/** Half-made and half-deleted files of backends, and downloads. */
export async function temporaries(site: Site): Promise<string[]> {
  const ours = (await lying(site)).filter(({ name }) => /^\.(tmp|del|moment)-/.test(name)).map(({ path }) => path);
  const downloads: string[] = [];
  for (const process of await readdir(site.directory, { withFileTypes: true })) {
    const directory = site.conversionDirectory(process.name);
    for (const name of await readdir(directory).catch(() => [])) downloads.push(join(directory, name));
  }
  return [...ours, ...downloads];
}
