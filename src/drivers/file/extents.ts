/**
 * In how many pieces files lie on the disk: that, and not their size, is what a reflink of them takes.
 *
 * Asked of the kernel (ioctl_fiemap(2) with room for no extent, which only counts), and not of `filefrag`: it counts pieces that
 * follow each other as one, and a reflink does not.
 */
import type { Exec } from '../../lib/exec.ts';

const COUNT = String.raw`
  my $extents = 0;
  for my $path (@ARGV) {
    open my $file, '<', $path or die "$path: $!\n";
    my $map = pack 'Q2 L4', 0, ~0, 0, 0, 0, 0;
    defined ioctl $file, 0xC020660B, $map or die "$path: $!\n";
    $extents += (unpack 'Q2 L4', $map)[3];
  }
  print $extents;
`;

/** Of all these files, with what has been written to the disk. */
export async function countExtents(exec: Exec, paths: readonly string[], signal: AbortSignal): Promise<number> {
  return Number(await exec(['perl', '-e', COUNT, '--', ...paths], { signal }));
}
