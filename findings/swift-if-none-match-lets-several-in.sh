#!/bin/sh
# Swift (Debian's 2.30.1): two PUTs of one object, both with `If-None-Match: *`, at the same time.
#
# A good guess, from HTTP, by which nothing is done under a condition that does not hold, and from S3, where it is so: one is answered 201,
# the other 412, and what the first has put stays.
# True: each server of objects looks whether there is one when the head of a request comes, and not again when the body is there. Both are
# answered 201, and the one that began last replaces what the other had put. Only who comes later is refused. Who needs one winner
# puts, waits until nobody who had looked before can be on the way, and looks whose object it is.
#
# Needs root and Debian's packages swift-proxy, swift-account, swift-container and swift-object, which are installed when they are missing,
# and extended attributes where temporary files are. Starts its own servers on loopback, without authentication. Fails when this changes.
set -eu
export DEBIAN_FRONTEND=noninteractive
packages='swift-proxy swift-account swift-container swift-object'
command -v swift-proxy-server >/dev/null && command -v swift-object-server >/dev/null ||
  { apt-get update -qq && apt-get install -qq --yes --no-install-recommends $packages; } >/dev/null 2>&1
work=$(mktemp -d)
pids=
trap 'kill -9 $pids 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
base=$((20000 + $$ % 10000))
# shellcheck disable=SC2086 # a list of words
dpkg-query --show $packages

common="swift_dir = $work
user = $(id -un)
workers = 0
bind_ip = 127.0.0.1"
port=$base
for server in account container object; do
  port=$((port + 1))
  mkdir -p "$work/devices/$server"
  cat >"$work/$server.conf" <<CONF
[DEFAULT]
$common
bind_port = $port
devices = $work/devices
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = $server-server
[app:$server-server]
use = egg:swift#$server
CONF
  /usr/bin/python3 - "$work" "$server" "$port" <<'PY'
import sys
from swift.common.ring import RingBuilder
work, server, port = sys.argv[1:]
builder = RingBuilder(2, 1, 1)
builder.add_dev({'region': 1, 'zone': 1, 'weight': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': server})
builder.rebalance()
builder.get_ring().save('%s/%s.ring.gz' % (work, server))
PY
done
cat >"$work/proxy.conf" <<CONF
[DEFAULT]
$common
bind_port = $base
[pipeline:main]
pipeline = catch_errors proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 10
node_timeout = 60
error_suppression_limit = 1000000
CONF
for server in account container object proxy; do
  "swift-$server-server" "$work/$server.conf" >"$work/$server.log" 2>&1 &
  pids="$pids $!"
  [ "$server" != object ] || objects=$!
done

/usr/bin/python3 - "$base" "$objects" "$work/devices/object/" >"$work/told" <<'PY'
import os, socket, sys, time
port, objects, device = int(sys.argv[1]), sys.argv[2], sys.argv[3]

# Files that the server of objects has open there: it opens one when it has looked, and waits for the body.
def opened():
    links = []
    for name in os.listdir('/proc/%s/fd' % objects):
        try:
            links.append(os.readlink('/proc/%s/fd/%s' % (objects, name)))
        except OSError:
            pass
    return len([link for link in links if link.startswith(device)])

def begin(method, path, length=0, more=''):
    for _ in range(600):
        try:
            peer = socket.create_connection(('127.0.0.1', port), timeout=60)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    head = '%s /v1/AUTH_test/%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n'
    peer.sendall((head % (method, path, length, more)).encode())
    return peer

def end(peer, rest=b''):
    peer.sendall(rest)
    answer = b''
    while True:
        piece = peer.recv(65536)
        if not piece:
            break
        answer += piece
    head, _, body = answer.partition(b'\r\n\r\n')
    return int(head.split()[1]), body.decode()

for _ in range(300):
    if end(begin('PUT', 'container'))[0] in (201, 202):
        break
    time.sleep(0.1)
condition = 'If-None-Match: *\r\n'
both = []
for _ in range(2):
    peer = begin('PUT', 'container/object', 6, condition)
    peer.sendall(b'put ')
    both.append(peer)
    for _ in range(600):
        if opened() >= len(both):
            break
        time.sleep(0.1)
first, second = [end(peer, rest)[0] for peer, rest in zip(both, (b'1.', b'2.'))]
later = end(begin('PUT', 'container/object', 6, condition), b'put 3.')[0]
print('at once: %d and %d, later: %d, it holds: %s' % (first, second, later, end(begin('GET', 'container/object'))[1]))
PY
cat "$work/told"
[ "$(cat "$work/told")" = 'at once: 201 and 201, later: 412, it holds: put 2.' ] || { echo 'CHANGED: not both were let in'; exit 1; }
