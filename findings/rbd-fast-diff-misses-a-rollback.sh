#!/bin/sh
# Ceph RBD (16.2.15): `rbd diff --whole-object`, or `export-diff` with it, between two snapshots of an image that was rolled back between them.
#
# A good guess: it tells each object that may differ, only coarser than the exact diff.
# True: with fast-diff (a default feature) it leaves out objects that the rollback has changed. A rollback takes the snapshot's object map along,
# and what was clean in that snapshot, since it had not changed since the one before, is called clean again. An incremental backup made of
# it, which is the quick way and exits 0, lacks these objects. The exact diff, or one without fast-diff, tells them.
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

# Its first object has 4 KiB of something else each time.
change() { rbd bench p/image --io-type write --io-size "$1" --io-total "$1" --io-pattern seq --io-threads 1 >/dev/null 2>&1; }
take() { rbd snap create --no-progress p/image@"$1"; }
content() { rbd export --no-progress p/image@"$1" - 2>/dev/null | sha1sum; }
told() { rbd diff "$@" | grep -c data || true; }
rbd create --size 64M p/image
change 4096
take before
take wanted                       # the object is clean in it
change 65536
take second
rbd snap rollback --no-progress p/image@wanted
take third

[ "$(content wanted)" = "$(content third)" ] || { echo 'CHANGED: the rollback'; exit 1; }
[ "$(content second)" != "$(content third)" ] || { echo 'CHANGED: the content'; exit 1; }
exact=$(told --from-snap second p/image@third)
whole=$(told --whole-object --from-snap second p/image@third)
echo "second and third differ; the exact diff tells of $exact objects, with --whole-object of $whole"
[ "$whole" = 0 ] || { echo 'CHANGED: it is told'; exit 1; }
rbd export-diff --no-progress --whole-object --from-snap second p/image@third "$work/diff" && echo "export-diff --whole-object: exit 0, $(stat -c %s "$work/diff") bytes"
[ "$exact" -gt 0 ] || echo 'The exact diff tells of none either.'
