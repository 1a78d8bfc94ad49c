#!/usr/bin/python3
"""A guest's disk: an image of Ceph that is open from the first line to the last, and written all the while.

  open-image.py CONF USER POOL IMAGE

Many writes are under way at once, none is kept in memory, and each block that was answered is known by what it holds. A line on standard
input asks: `told` how many were answered so far, `close` ends the writing, closes the image, opens it anew and reads every block again.
"""
import json, struct, sys, threading, time
import rados, rbd

BLOCK = 4096
BLOCKS = 4096
STRIDE = 16384
DEPTH = 8

conf, user, pool, name = sys.argv[1:]
cluster = rados.Rados(conffile=conf, rados_id=user)
cluster.conf_set('rbd_cache', 'false')
cluster.connect()
io = cluster.open_ioctx(pool)
image = rbd.Image(io, name)

lock = threading.Lock()
answered = {}
told = {'answered': 0, 'refused': 0, 'lost': 0, 'longest_ms': 0}
stop = threading.Event()


def content(block, count):
    return struct.pack('>II', block, count) * (BLOCK // 8)


def write(lane):
    count = 0
    while not stop.is_set():
        for block in range(lane, BLOCKS, DEPTH):
            if stop.is_set():
                return
            count += 1
            data, begun = content(block, count), time.monotonic()
            try:
                image.write(data, block * STRIDE)
            except rbd.Error:
                with lock:
                    told['refused'] += 1
                # Of this block nobody knows what it holds.
                answered.pop(block, None)
                time.sleep(0.01)
                continue
            taken = (time.monotonic() - begun) * 1000
            answered[block] = data
            there = image.read(block * STRIDE, BLOCK) if count % 16 == 0 else data
            with lock:
                told['answered'] += 1
                told['lost'] += there != data
                told['longest_ms'] = max(told['longest_ms'], round(taken))


lanes = [threading.Thread(target=write, args=(lane,), daemon=True) for lane in range(DEPTH)]
for each in lanes:
    each.start()
for line in sys.stdin:
    if line.strip() == 'close':
        stop.set()
        for each in lanes:
            each.join()
        image.close()
        with rbd.Image(io, name, read_only=True) as again:
            lost = [block for block, data in answered.items() if again.read(block * STRIDE, BLOCK) != data]
        told['lost'] += len(lost)
        told['blocks'] = len(answered)
    with lock:
        print(json.dumps(told), flush=True)
    if line.strip() == 'close':
        break
cluster.shutdown()
