#!/bin/busybox sh
# All that a guest does whose disk is /dev/vda: it writes block after block past its page cache, and reads what it wrote there the time before. What
# was answered is kept in its memory. A line on its second serial port asks: `told` how many were answered so far; `close` ends the
# writing, reads every block again, and switches it off.
BLOCKS=32
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod "$module" 2>/dev/null; done
until [ -b /dev/vda ]; do sleep 1; done
mkdir /answered

# Of 64 KiB, one each MiB.
at() { echo $(($1 * 16)); }
holds() { dd if=/dev/vda bs=64k skip="$(at "$1")" count=1 iflag=direct 2>/dev/null | cmp -s - "/answered/$1"; }
hundredths() { sed 's/ .*//; s/\.//; s/^0*//' /proc/uptime; }

writes() {
  answered=0 refused=0 lost=0 longest=0 round=0
  while [ ! -e /stop ]; do
    block=$((round % BLOCKS))
    round=$((round + 1))
    [ ! -e "/answered/$block" ] || holds "$block" || lost=$((lost + 1))
    yes "block $block, round $round" | head -c 65536 >/next
    begun=$(hundredths)
    if dd if=/next of=/dev/vda bs=64k seek="$(at "$block")" count=1 oflag=direct conv=notrunc 2>/dev/null; then
      took=$((($(hundredths) - begun) * 10))
      [ "$took" -le "$longest" ] || longest=$took
      answered=$((answered + 1))
      mv /next "/answered/$block"
    else
      # Of this block nobody knows what it holds.
      refused=$((refused + 1))
      rm -f "/answered/$block"
    fi
    echo "\"answered\": $answered, \"refused\": $refused, \"longest_ms\": $longest, \"lost\": $lost" >/told.next
    mv /told.next /told
  done
}

stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
writes &
until [ -e /told ]; do sleep 1; done
echo ready
while read -r line; do
  [ "$line" = close ] || { echo "{$(cat /told)}"; continue; }
  touch /stop
  wait
  again=0 blocks=0
  for block in $(ls /answered); do
    blocks=$((blocks + 1))
    holds "$block" || again=$((again + 1))
  done
  echo "{$(cat /told), \"lost_in_the_end\": $again, \"blocks\": $blocks}"
  # Until it has left the port.
  sleep 1
  poweroff -f
done
