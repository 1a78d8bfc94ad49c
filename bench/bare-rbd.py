#!/usr/bin/python3
"""What librbd itself takes for what clients of a service ask for, by a program that keeps its connection, looks at nothing and
knows nothing.

  bare-rbd.py CONF USER POOL EACH       prints the medians, ms, as a line of JSON
"""
import json, sys, time, uuid
import rados, rbd

conf, user, pool, each = sys.argv[1:]
GIB = 1 << 30
cluster = rados.Rados(conffile=conf, rados_id=user)
cluster.connect()
io, images, times = cluster.open_ioctx(pool), rbd.RBD(), {}


def timed(what, work):
    begun = time.monotonic()
    work()
    times.setdefault(what, []).append((time.monotonic() - begun) * 1000)


def on(name, work):
    with rbd.Image(io, name) as image:
        work(image)


def clone(source, name):
    """Of a volume as it is: by a snapshot that goes with the clone."""
    on(source, lambda image: image.create_snap('for-' + name))
    images.clone(io, source, 'for-' + name, io, name, features=61)
    on(source, lambda image: image.remove_snap('for-' + name))


for _ in range(int(each)):
    name, copy = str(uuid.uuid4()), str(uuid.uuid4())
    timed('create', lambda: images.create(io, name, GIB, 22, old_format=False, features=61))
    timed('snapshot', lambda: on(name, lambda image: image.create_snap('snapshot')))
    timed('clone', lambda: clone(name, copy))
    timed('extend', lambda: on(copy, lambda image: image.resize(2 * GIB, False)))
    timed('delete', lambda: images.remove(io, copy))
print(json.dumps({what: sorted(all)[len(all) // 2] for what, all in times.items()}))
