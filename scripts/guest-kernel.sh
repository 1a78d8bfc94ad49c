# A kernel for guests that QEMU boots: Debian's packaged one, unpacked (not installed) into .build/guest.
#
# To be sourced at the root of the checkout, behind scripts/bootstrap.sh:
#
#     need_guest_kernel                                 # sets $guest, its directory, and $version
#     guest_root DIRECTORY virtio_pci virtio_blk        # busybox, and modules with those they need, in the order in which they are loaded
#     guest_initrd DIRECTORY FILE                       # of it, with an executable `init`

need_guest_kernel() {
  need_programs qemu-system-x86_64:qemu-system-x86 qemu-system-x86_64:seabios busybox:busybox-static cpio:cpio modprobe:kmod
  PATH="$PATH:/usr/sbin:/sbin"
  guest=$PWD/.build/guest
  mkdir -p "$guest"
  if [ ! -e "$guest/kernel/whole" ]; then
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    say "unpacking the kernel of $package into .build/guest"
    rm -rf "$guest/kernel"
    (cd "$guest" && apt-get download "$package" && dpkg -x "$package"_*.deb kernel && rm "$package"_*.deb) >"$guest/kernel.log" 2>&1 ||
      { cat "$guest/kernel.log" >&2; exit 1; }
    depmod -b "$guest/kernel" "$(ls "$guest/kernel/lib/modules")"
    touch "$guest/kernel/whole"
  fi
  version=$(ls "$guest/kernel/lib/modules")
}

guest_root() {
  root=$1
  shift
  mkdir -p "$root/bin" "$root/modules" "$root/dev" "$root/proc" "$root/sys"
  cp "$(command -v busybox)" "$root/bin/busybox"
  number=100
  for module in "$@"; do
    for file in $(modprobe -d "$guest/kernel" -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'); do
      number=$((number + 1))
      cp "$file" "$root/modules/$number-$(basename "$file")"
    done
  done
}

guest_initrd() {
  (cd "$1" && find . | cpio --create --format newc --quiet | gzip -1) >"$2"
}
