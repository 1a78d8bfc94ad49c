#!/bin/sh
# Ceph RBD (16.2.15): `Image.lock_acquire(RBD_LOCK_MODE_EXCLUSIVE)` (C: rbd_lock_acquire) of an image that another client has open for writing.
#
# A good guess: the other client waits until the lock is released, as it does while librbd has it for a snapshot, a resize or a group's snapshot; so that
# is how one makes writers wait for a moment.
# True: the lock is taken from the writer at once, and its next write fails: EROFS, "read-only image", which a guest sees as an I/O error. When the
# lock is released writes succeed again.
#
# Needs root and Debian's packages ceph-mon, ceph-osd, ceph-common and python3-rbd, which are installed when they are missing (no service is started). A
# monitor and an OSD in memory run on a free port of loopback meanwhile. Fails when this changes.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
command -v ceph-mon >/dev/null && command -v ceph-osd >/dev/null && [ -e /usr/share/doc/python3-rbd ] ||
  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends ceph-mon ceph-osd ceph-common python3-rbd; } >/dev/null
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

/usr/bin/python3 - "$CEPH_CONF" <<'EOP'
import sys
import rados, rbd


def client():
    cluster = rados.Rados(conffile=sys.argv[1], rados_id='admin')
    cluster.connect()
    return cluster.open_ioctx('p')


def write(image):
    try:
        image.write(b'x', 0)
        return 'succeeds'
    except rbd.Error as error:
        return 'fails with %s' % error.errno


features = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_EXCLUSIVE_LOCK
rbd.RBD().create(client(), 'image', 1 << 26, old_format=False, features=features)
writer, other = rbd.Image(client(), 'image'), rbd.Image(client(), 'image')
found = [write(writer)]
other.lock_acquire(rbd.RBD_LOCK_MODE_EXCLUSIVE)
found.append(write(writer))
other.lock_release()
found.append(write(writer))
print('the write of another client before, with and after lock_acquire: ' + ', '.join(found))
sys.exit(0 if found == ['succeeds', 'fails with 30', 'succeeds'] else 'CHANGED')
EOP
