#!/bin/sh
# A raw file that qemu-img (7.2) made on XFS, and the extent-size hint of 1 MiB that it gives such files.
#
# A good guess: `xfs_io -c "extsize 0" FILE` takes the hint away, so that later scattered writes take 4 KiB each, and `fallocate
# --dig-holes` gives back what was allocated around the data.
# True: on a file that has data the first is refused (EINVAL), and the second gives nothing back, since what is allocated around the data is
# unwritten and not zero. A reflink copy (`cp --reflink=always`) has neither the hint nor the unwritten blocks: copy, sync, and rename
# the copy over the file is the way, while nobody has it open.
#
# Needs root, loop devices and Debian's packages qemu-utils and xfsprogs, which are installed when they are missing. Fails when this changes.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
command -v qemu-img >/dev/null && command -v mkfs.xfs >/dev/null ||
  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends qemu-utils xfsprogs; } >/dev/null
work=$(mktemp -d)
trap 'cd /; umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
qemu-img --version | head -n 1
dpkg-query --show xfsprogs
truncate -s 400M "$work/image"
mkfs.xfs -q -m reflink=1 "$work/image"
mkdir "$work/mnt"
mount -o loop "$work/image" "$work/mnt"
cd "$work/mnt"

hint() { xfs_io -c extsize "$1" | sed 's/\].*//; s/.*\[//'; }
kib() { du -k "$1" | cut -f1; }
qemu-img create -q -f raw made 256M
for at in 0 32 64 96 128 160 192 224; do
  dd if=/dev/urandom of=made bs=4k count=1 seek=$((at * 256)) conv=notrunc status=none
done
sync made
before=$(kib made)
said=$(xfs_io -c 'extsize 0' made 2>&1 || true)
fallocate --dig-holes made
sync made
cp --reflink=always made copy
sync copy
echo "hint of what qemu-img made: $(hint made) bytes; 8 blocks of 4 KiB take $before KiB"
echo "extsize 0: ${said:-done}; hint now $(hint made); after fallocate --dig-holes: $(kib made) KiB"
echo "a reflink copy: hint $(hint copy), $(kib copy) KiB"
[ "$before" -ge 8192 ] || { echo 'CHANGED: scattered writes take what they write'; exit 1; }
[ "$(hint made)" = 1048576 ] && [ "$(kib made)" -ge 8192 ] || { echo 'CHANGED: the hint can be taken away'; exit 1; }
[ "$(hint copy)" = 0 ] && [ "$(kib copy)" -le 64 ] || { echo 'CHANGED: a reflink copy has the hint'; exit 1; }
