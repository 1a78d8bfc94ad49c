#!/usr/bin/python3
"""librbd behind lines of JSON: one process, one RADOS client, many threads.

  rbd-helper.py CONF USER CLUSTER POOL THREADS [OPTION=VALUE ...]
  in:   {"id": 1, "op": "clone", "args": {...}}   {"cancel": 1}   {"ping": 7}
  out:  {"hello": {...}}   {"id": 1, "progress": 0.5}   {"id": 1, "ok": ...}   {"id": 1, "errno": 17, "what": "...", "error": "..."}   {"pong": 7}

What the operations do is told in rbd_operations.py. A thread takes one after another; those in PROBES have a thread of their own, so that
somebody can look when a frozen cluster has all the others. Nothing here waits with a limit: whoever asks has the deadline, and an operation goes on
when the cluster does. A cancelled one ends where librbd can be told to (flatten, remove), else by itself.

It ends with its standard input, whose other end is held by whoever started it.
"""
import errno, json, os, queue, sys, threading
import rados
import rbd_operations

PROBES = ('stats', 'monitors')


class Helper:
    def __init__(self, operations):
        self.operations = operations
        self.printing = threading.Lock()
        self.cancelled = set()
        self.queues = {True: queue.SimpleQueue(), False: queue.SimpleQueue()}

    def say(self, message):
        line = json.dumps(message, separators=(',', ':')) + '\n'
        with self.printing:
            sys.stdout.write(line)
            sys.stdout.flush()

    def watch(self, number):
        """What librbd calls with how far it is; a negative answer ends the operation."""
        told = [0.0]

        def progress(done, whole):
            if number in self.cancelled:
                return -errno.ECANCELED
            if whole and done / whole - told[0] >= 0.01:
                told[0] = done / whole
                self.say({'id': number, 'progress': told[0]})
            return 0
        return progress

    def work(self, todo):
        while True:
            request = todo.get()
            number, args = request['id'], request.get('args', {})
            try:
                operation = getattr(self.operations, request['op'])
                if request['op'] in rbd_operations.LONG:
                    args = {**args, 'progress': self.watch(number)}
                self.say({'id': number, 'ok': operation(**args)})
            except Exception as error:
                told = '%s: %s' % (type(error).__name__, error)
                self.say({'id': number, 'errno': getattr(error, 'errno', None), 'what': getattr(error, 'what', None), 'error': told})
            self.cancelled.discard(number)

    def serve(self, threads):
        for todo in [self.queues[True]] + [self.queues[False]] * threads:
            threading.Thread(target=self.work, args=(todo,), daemon=True).start()
        for line in sys.stdin:
            message = json.loads(line)
            if 'cancel' in message:
                self.cancelled.add(message['cancel'])
            elif 'ping' in message:
                self.say({'pong': message['ping']})
            else:
                self.queues[message['op'] in PROBES].put(message)


def main():
    conf, user, name, pool, threads = sys.argv[1:6]
    cluster = rados.Rados(conffile=conf, rados_id=user, clustername=name)
    # What it would print, or leave in files, nobody reads.
    for option, value in (('admin_socket', ''), ('log_file', ''), ('log_to_stderr', 'false'), ('err_to_stderr', 'false')):
        cluster.conf_set(option, value)
    for option in sys.argv[6:]:
        cluster.conf_set(*option.split('=', 1))
    cluster.connect()
    try:
        operations = rbd_operations.Operations(cluster, pool)
    except rados.ObjectNotFound:
        sys.exit('There is no pool %s.' % pool)
    helper = Helper(operations)
    helper.say({'hello': {'address': cluster.get_addrs(), 'fsid': cluster.get_fsid()}})
    helper.serve(int(threads))
    os._exit(0)  # threads that wait for the cluster would wait on


main()
