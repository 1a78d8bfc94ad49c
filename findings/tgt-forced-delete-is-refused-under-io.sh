#!/bin/sh
# tgtd (Debian's tgt 1.0.85): `tgtadm --force --op delete --mode target` of a target that a client is reading.
#
# A good guess, from tgtadm's own help ("With force option, the specific target is deleted even if there is an activity"): it
# succeeds, and the target is gone.
# True: while one command of a client is under way it is refused ("this logical unit is still active", exit status not 0), and has
# ended nothing: the client's session stays, and it goes on. Who detaches a volume must unbind the initiators, delete the
# connections, and wait until `--op show` lists no I_T nexus any more; then nothing is in the way of the delete.
#
# Needs root and Debian's packages tgt and libiscsi-bin, which are installed when they are missing. Fails when this changes.
set -eu
export DEBIAN_FRONTEND=noninteractive
command -v tgtd >/dev/null && command -v iscsi-perf >/dev/null ||
  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends tgt libiscsi-bin; } >/dev/null
work=$(mktemp -d)
port=$((20000 + $$ % 10000))
export TGT_IPC_SOCKET="$work/control"
adm() { timeout 10 tgtadm --lld iscsi "$@"; }
tgtd -f -t 1 --iscsi portal=127.0.0.1:$port >"$work/log" 2>&1 &
daemon=$!
client=
trap 'kill -9 $daemon $client 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
until adm --op show --mode system >/dev/null 2>&1; do sleep 0.1; done
dpkg-query --show tgt libiscsi-bin

truncate -s 256M "$work/disk"
begin() {
  adm --op new --mode target --tid 1 --targetname iqn.2004-10.test:disk
  adm --op new --mode logicalunit --tid 1 --lun 1 --backing-store "$work/disk" --bstype rdwr
  adm --op bind --mode target --tid 1 --initiator-address 127.0.0.1
}
nexus() { adm --op show --mode target | grep 'I_T nexus: ' || true; }
begin
iscsi-perf -b 8192 -m 32 -t 60 "iscsi://127.0.0.1:$port/iqn.2004-10.test:disk/1" >"$work/client" 2>&1 &
client=$!
until [ -n "$(nexus)" ]; do sleep 0.1; done
sleep 1

refused=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
  before=$(nexus)
  if adm --force --op delete --mode target --tid 1 2>"$work/said"; then
    begin
  else
    refused=$((refused + 1))
    last=$(cat "$work/said")
    [ "$(nexus)" = "$before" ] || { echo "CHANGED: it was refused, and ended the session"; exit 1; }
  fi
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -n "$(nexus)" ] && break
    sleep 0.5
  done
done
echo "forced deletes of a target that is read: 10, refused: $refused, last words: ${last:-none}"
[ "$refused" -gt 0 ] || { echo 'CHANGED: none was refused'; exit 1; }
