/** P4 of images: the image store holds what it held, and of each upload that succeeded the volume's content, whole, and nothing else. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../src/lib/exec.ts';
import { faultOfContent } from './content.ts';
import type { Aftermath, Rows, Violation } from './invariants.ts';

export async function imageViolations(
  { site, uploads, emptyImages }: Aftermath,
  { flows }: Rows,
): Promise<Violation[]> {
  const found: Violation[] = [];
  const violate = (what: string): void => void found.push({ promise: 'P4', what });
  const given = new Set([...site.images.good, ...site.images.bad].map(({ id }) => id));
  const there = (await readdir(site.imageDirectory)).flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? []);
  const sent = new Set(
    flows
      .filter(({ name, state }) => /^upload_(attached_)?volume$/.test(name) && state === 'success')
      .map(({ input }) => (input.image as unknown as { readonly id: string }).id),
  );
  for (const id of there) if (!given.has(id) && !sent.has(id)) violate(`Image ${id} is an orphan.`);
  for (const id of emptyImages) violate(`Image ${id} was made, and has no bytes.`);
  for (const id of sent) {
    if (!there.includes(id)) violate(`Image ${id} was uploaded, and is gone.`);
    else {
      const fault = await faultOfImage(site.directory, join(site.imageDirectory, `${id}.image`), uploads.get(id));
      if (fault !== null) violate(`Image ${id} is not what was uploaded: ${fault}.`);
    }
  }
  return found;
}

/** `content`: undefined when nobody knows which volume it was. */
async function faultOfImage(directory: string, path: string, content: string | undefined): Promise<string | null> {
  const place = await mkdtemp(join(directory, 'image-'));
  const raw = join(place, 'raw');
  try {
    const signal = AbortSignal.timeout(60_000);
    await exec(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', '--', path, raw], { signal });
    return content === undefined ? null : await faultOfContent(raw, content);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(place, { recursive: true });
  }
}
