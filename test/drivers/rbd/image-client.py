#!/usr/bin/python3
"""A machine that has one image open, as qemu has it, and keeps many writes under way: lines of JSON in and out.

  image-client.py CONF USER POOL IMAGE
  in:  [1, at, "base64"]    out:  [1, errno or 0]
"""
import base64, json, sys, threading
import rados, rbd

cluster = rados.Rados(conffile=sys.argv[1], rados_id=sys.argv[2])
cluster.connect()
image = rbd.Image(cluster.open_ioctx(sys.argv[3]), sys.argv[4])
printing = threading.Lock()


def begin(number, at, data):
    def told(completion):
        with printing:
            print(json.dumps([number, completion.get_return_value()]), flush=True)
    image.aio_write(data, at, told)


for line in sys.stdin:
    number, at, data = json.loads(line)
    begin(number, at, base64.b64decode(data))
image.close()
