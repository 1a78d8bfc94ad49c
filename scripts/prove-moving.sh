#!/bin/sh
# `npm run prove:moving`: a living Cinder on Ceph moves in and back (test/compat/prove-moving.ts), under a guest of QEMU's that has a volume for its
# disk. Debian's packaged kernel boots it with an initramfs that is one script (test/compat/guest-disk.sh) and busybox.
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
. scripts/guest-kernel.sh
need_programs qemu-img:qemu-utils iscsi-ls:qemu-block-extra
need_guest_kernel

work=$(mktemp -d "$guest/run-XXXXXX")
trap 'rm -rf "$work"' EXIT
guest_root "$work/root" virtio_pci virtio_blk
install -m 755 test/compat/guest-disk.sh "$work/root/init"
guest_initrd "$work/root" "$work/initrd"
GUEST_KERNEL=$guest/kernel/boot/vmlinuz-$version GUEST_INITRD=$work/initrd node test/compat/prove-moving.ts "$@"
