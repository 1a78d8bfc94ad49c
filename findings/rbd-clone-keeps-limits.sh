#!/bin/sh
# Ceph RBD (16.2.15): limits of an image (`rbd config image set … rbd_qos_iops_limit`) and its clones.
#
# A good guess: an option that was set on an image is of that image, as a volume's type is of that volume. A clone begins with the pool's.
# True: a clone and a copy take along all that was set on the image, as it is when they are made, and keep it when the parent's is taken away.
# A volume that is cloned from a limited one, or made from its snapshot, is limited by nobody's order, also where its own type has no limits,
# and no list of limited images by type finds it. Who sets limits has to take them away from what is cloned.
#
# Needs root and Debian's packages ceph-mon, ceph-osd and ceph-common, which are installed when they are missing (no service is started). A
# monitor and an OSD in memory run on a free port of loopback meanwhile. Fails when this changes.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
command -v ceph-mon >/dev/null && command -v ceph-osd >/dev/null && command -v rbd >/dev/null ||
  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends ceph-mon ceph-osd ceph-common; } >/dev/null
work=$(mktemp -d)
export CEPH_CONF="$work/ceph.conf"
mon='' osd=''
trap 'kill -9 $mon $osd 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
fsid=$(cat /proc/sys/kernel/random/uuid)
port=$((20000 + $$ % 10000))
cat >"$CEPH_CONF" <<EOC
[global]
fsid = $fsid
run dir = $work
keyring = $work/keyring
admin socket =
log file = $work/\$name.log
crash dir = $work
mon host = v2:127.0.0.1:$port/0
mon initial members = a
public addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
auth allow insecure global id reclaim = false
mon data avail crit = 1
mon data = $work/mon
osd data = $work/osd
osd objectstore = memstore
memstore device bytes = 536870912
[client]
log file =
EOC
mkdir "$work/mon" "$work/osd"
for name in mon. osd.0 client.admin; do
  ceph-authtool --create-keyring "$work/key" --gen-key -n $name --cap mon 'allow *' --cap osd 'allow *' >/dev/null
  cat "$work/key" >>"$work/keyring"
done
monmaptool --create --addv a "[v2:127.0.0.1:$port]" --fsid "$fsid" "$work/monmap" >/dev/null
ceph-mon -i a --mkfs --monmap "$work/monmap" --keyring "$work/keyring"
ceph-mon -f -i a >/dev/null 2>&1 & mon=$!
uuid=$(cat /proc/sys/kernel/random/uuid)
ceph --connect-timeout 60 osd new "$uuid" >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$uuid" >/dev/null 2>&1
ceph-osd -f -i 0 >/dev/null 2>&1 & osd=$!
until ceph osd stat | grep -q '1 up'; do sleep 0.5; done
ceph osd pool create p 1 1 replicated >/dev/null 2>&1
ceph --version

limit() { rbd config image list p/"$1" --format json | tr '}' '\n' | sed -n 's/.*"rbd_qos_iops_limit","value":"\([0-9]*\)","source":"image".*/\1/p'; }
rbd create --size 64M p/image
rbd config image set p/image rbd_qos_iops_limit 50
[ "$(limit image)" = 50 ] || { echo 'CHANGED: the option'; exit 1; }
rbd snap create --no-progress p/image@snapshot
rbd clone --rbd-default-clone-format 2 p/image@snapshot p/clone
rbd cp --no-progress p/image p/copy
rbd config image remove p/image rbd_qos_iops_limit
rbd clone --rbd-default-clone-format 2 p/image@snapshot p/later
echo "rbd_qos_iops_limit of the image, once removed: '$(limit image)'; of a clone made before: $(limit clone); of a copy made before: $(limit copy); of a clone made after: '$(limit later)'"
[ "$(limit clone) $(limit copy)" = '50 50' ] || { echo 'CHANGED: clones or copies do not take it along'; exit 1; }
[ -z "$(limit image)$(limit later)" ] || { echo 'CHANGED: what was taken away is there'; exit 1; }
