/**
 * The text inside a VMDK that says of which files the disk is made (VMware's "Virtual Disk Format 5.0").
 *
 * It is the part that has made programs open what it names (Cinder bug 1996188, CVE-2022-47951). So nothing is passed over: a
 * line is one of those that are known here, or the image is refused.
 */
import { BadImage } from './image-bytes.ts';

/** All that is in one file. The others name files, devices or remote disks. */
const KINDS = ['monolithicsparse', 'streamoptimized'] as const;
export type VmdkKind = (typeof KINDS)[number];

/** `text`: up to its first NUL. */
export function demandAlone(text: string): VmdkKind {
  const fields = new Map<string, string>();
  let extents = 0;
  for (const line of text.split('\n').map((each) => each.trim().toLowerCase())) {
    if (line === '' || line.startsWith('#') || line.startsWith('ddb.')) continue;
    const [, key, value] = /^([a-z]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) {
      if (fields.has(key)) throw new BadImage('its descriptor says one thing twice');
      fields.set(key, value.replace(/^"(.*)"$/, '$1'));
    } else {
      demandOwnExtent(line);
      extents++;
    }
  }
  const kind = KINDS.find((each) => each === fields.get('createtype'));
  if (kind === undefined) throw new BadImage('it is not a single-file sparse vmdk');
  if (fields.has('parentfilenamehint') || fields.get('parentcid') !== 'ffffffff')
    throw new BadImage('it is the difference to another image');
  if (extents !== 1) throw new BadImage('it consists of other than one file');
  return kind;
}

/** Its name is what the file was called where it was made, and is never looked for: it must be no path at least. */
function demandOwnExtent(line: string): void {
  const [, kind, name] = /^(?:rw|rdonly|noaccess)\s+\d+\s+([a-z]+)\s+"([^"]*)"$/.exec(line) ?? [];
  if (kind === undefined || name === undefined) throw new BadImage('its descriptor has a line that is not known');
  if (kind !== 'sparse' || /[/\\:]/.test(name)) throw new BadImage('it names another file');
}
