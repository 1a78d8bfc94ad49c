#!/bin/sh
# `npm run prove:lvm`: the LVM driver on real LVM, in a guest of this machine's own system.
#
#     npm run prove:lvm                                    # the proof of the driver, and what only real LVM shows
#     npm run prove:lvm -- test/drivers/lvm/lvm-devices.test.ts --test-name-pattern=killed
#     LVM_STRIKES=none npm run prove:lvm                   # without a fault at each program: a quarter of the time
#
# Device-mapper's thin pools want a kernel with dm-thin-pool, and root; containers and small machines have neither. So Debian's
# packaged kernel is unpacked (not installed) into .build/guest and booted by QEMU with a small initramfs. The guest's root is this
# machine's, over 9p, with memory laid over it: it has the lvm2, the Node and the checkout that are here, and nothing that it writes
# comes back. Its disk is a sparse file that is removed in the end.
#
# LVM asks for dm-snapshot too, for snapshots of thin volumes that never use it (2.03.16: "Required device-mapper target(s) not
# detected").
#
# Emulated (tcg), a program of LVM's takes 0.25 s and more. Where KVM works, GUEST_ACCEL=kvm is quicker.
set -eu
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
. scripts/guest-kernel.sh
need_programs lvs:lvm2 thin_delta:thin-provisioning-tools qemu-img:qemu-utils tgtd:tgt iscsi-inq:libiscsi-bin iscsi-ls:qemu-block-extra
need_guest_kernel

work=$(mktemp -d "$guest/run-XXXXXX")
trap 'rm -rf "$work"' EXIT
guest_root "$work/root" virtio_pci virtio_blk 9pnet_virtio 9p overlay dm-thin-pool dm-snapshot

# What the guest runs, with the machine's root as its own. Its words are quoted for its shell.
quoted() { printf "'%s' " "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }
[ $# -gt 0 ] || set -- test/drivers/lvm/lvm-driver.test.ts test/drivers/lvm/lvm-devices.test.ts
{
  echo "cd $(quoted "$PWD") && export PATH=$(quoted "$PATH") HOME=/root LVM_DEVICE=/dev/vda"
  for name in LVM_STRIKES LVM_KILLS; do
    eval "value=\${$name-}"
    [ -z "$value" ] || echo "export $name=$(quoted "$value")"
  done
  # An option of the runner's comes before the files.
  options= files=
  for word in "$@"; do
    case "$word" in -*) options="$options$(quoted "$word")" ;; *) files="$files$(quoted "$word")" ;; esac
  done
  echo "node --max-semi-space-size=64 --import ./test/no-leaks.ts --test --test-force-exit --test-isolation=none \\"
  echo "  --test-timeout=3600000 --test-reporter=spec $options $files"
} >"$work/command"

cat >"$work/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" 2>/dev/null || [ -n "$(lsmod)" ] || echo "no $module"; done
mkdir /machine /memory /system
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 machine /machine
mount -t tmpfs memory /memory && mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/machine,upperdir=/memory/upper,workdir=/memory/work system /system
for mounted in proc sys dev; do mount -o bind "/$mounted" "/system/$mounted"; done
for memory in run tmp; do mount -t tmpfs memory "/system/$memory"; done
mkdir -p /system/run/lock /system/dev/shm
ln -sfn /proc/self/fd /dev/fd
ifconfig lo up
work=$(sed 's/.*pumice_work=\([^ ]*\).*/\1/' /proc/cmdline)
cp "/machine$work/command" /system/run/command
# A checkout below /tmp is hidden by the memory there.
checkout=${work%/.build/*}
[ -e "/system$checkout" ] || { mkdir -p "/system$checkout" && mount -o bind "/machine$checkout" "/system$checkout"; }
chroot /system /bin/sh /run/command
echo "status-of-the-guest $?"
sync
poweroff -f
END
chmod +x "$work/root/init"
guest_initrd "$work/root" "$work/initrd"
truncate -s 8G "$work/disk"

# Its console is its output; the last line tells how it ended.
qemu-system-x86_64 -nodefaults -no-reboot -display none -machine "pc,accel=${GUEST_ACCEL:-tcg}" -cpu max -m 2048 -smp 2 \
  -kernel "$guest/kernel/boot/vmlinuz-$version" -initrd "$work/initrd" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr pumice_work=$work" \
  -serial stdio -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
  -virtfs local,path=/,mount_tag=machine,security_model=none,readonly=on,multidevs=remap </dev/null 2>&1 |
  sed -u "s/\r//g; w $work/console"
exit "$(sed -n 's/^status-of-the-guest \([0-9]*\)$/\1/p' "$work/console" | tail -n 1 | grep . || echo 125)"
