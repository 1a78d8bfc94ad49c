#!/bin/sh
# Node 24: `process.stdout.write(bytes)` where standard output is a file without room for all of them, or a disk (`> /dev/sdb`).
#
# A good guess: the bytes arrive, or there is an error and the process fails.
# True: to a file they are written by one write(2), and whatever of them that call has left out is forgotten: when the last piece meets the
# end of the room, nobody hears of it and the process ends with 0. What goes to a block device is dropped whole: Node does not know what kind
# of thing it is, and gives the stream a sink that takes everything. `fs.writeSync(1, …)`, again until all is written, does both rightly.
#
# Needs npm; root and a loop device for the disk. Fails when this changes.
set -eu
work=$(mktemp -d)
disk=
trap 'test -z "$disk" || losetup --detach "$disk"; rm -rf "$work"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
echo "Node $(node --version)"
write='process.stdout.write(Buffer.alloc(1048576, "x"))'
code=0
(ulimit -f 2047 && node -e "$write" >file) || code=$? # blocks of 512 bytes: one less than a MiB
echo "a file with room for $((2047 * 512)) of 1048576 bytes: has $(wc -c <file), exit code $code"
[ "$code $(wc -c <file)" = "0 $((2047 * 512))" ] || { echo 'CHANGED: a short write to a file is heard of'; exit 1; }
truncate -s 1M image
disk=$(losetup --find --show image)
node -e "$write" >"$disk" || code=$?
written=$(tr -d '\0' <"$disk" | wc -c)
echo "a disk of 1048576 bytes: has $written of them, exit code $code"
[ "$code $written" = '0 0' ] || { echo 'CHANGED: what is written to a disk arrives'; exit 1; }
