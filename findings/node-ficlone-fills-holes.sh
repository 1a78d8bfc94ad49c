#!/bin/sh
# Node 24's `fs.copyFile` with COPYFILE_FICLONE, of a sparse file, on a file system without reflinks (ext4, tmpfs).
#
# A good guess: where it cannot share blocks it copies as `cp` does, which keeps holes.
# True: it writes every byte. An empty disk of 64 MiB that takes nothing takes 64 MiB afterwards, and an empty volume of 1 TiB would fill the
# disk. `cp --reflink=auto --sparse=always` keeps the holes.
#
# Needs npm, coreutils and a /tmp or /dev/shm without reflinks. Fails when this changes.
set -eu
work=$(mktemp -d)
shm=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$work" "$shm"' EXIT
cd "$work"
case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
npm install --silent --no-save "node-linux-$arch@24.21.0" >/dev/null
PATH="$work/node_modules/node-linux-$arch/bin:$PATH"
truncate -s 64M "$shm/disk"
node -e 'const fs = require("node:fs"); fs.copyFileSync(process.argv[1], process.argv[2], fs.constants.COPYFILE_FICLONE)' \
  "$shm/disk" "$shm/by-node"
cp --reflink=auto --sparse=always "$shm/disk" "$shm/by-cp"
kib() { du -k "$1" | cut -f1; }
echo "Node $(node --version), on $(stat -f -c %T "$shm"): a hole of 64 MiB takes $(kib "$shm/disk") KiB;" \
  "copied by Node $(kib "$shm/by-node") KiB, by cp $(kib "$shm/by-cp") KiB"
[ "$(kib "$shm/by-node")" -ge 65536 ] || { echo 'CHANGED: Node keeps the hole'; exit 1; }
[ "$(kib "$shm/by-cp")" -le 64 ] || { echo 'CHANGED: cp fills the hole'; exit 1; }
