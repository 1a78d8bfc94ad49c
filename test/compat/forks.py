"""Runs the command line of a Python client many times over, each time in a process of its own.

Starting Python and importing a client takes one to two seconds, running a command a tenth of that. So the client (the
module named as the argument) is imported once. Each line of standard input, {"argv": [...], "env": {...}}, is answered by
a fork that calls the module's `main` as the client's own script does, with one line: {"code", "out", "err"}.
"""

import contextlib
import gc
import importlib
import json
import os
import sys
import tempfile
import traceback

client = importlib.import_module(sys.argv[1])


def run(argv, env, out, err, imported):
    """Never returns. What a client does at its exit takes longer than the command, and is of no use to a fork."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = argv
        code = client.main() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(imported.fileno(), "\n".join(sys.modules).encode())
        os._exit(code)


def answer(argv, env):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as imported:
        # What is there already is never collected, so that forks go on sharing it.
        gc.freeze()
        child = os.fork()
        if child == 0:
            run(argv, env, out, err, imported)
        _, status = os.waitpid(child, 0)
        result = {"code": os.waitstatus_to_exitcode(status), "out": text(out), "err": text(err)}
        keep(text(imported).splitlines())
        return result


def text(file):
    file.seek(0)
    return file.read().decode()


def keep(names):
    """Plugins are imported when a command needs them; the next one shall find them."""
    for name in names:
        if name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


for line in sys.stdin:
    print(json.dumps(answer(**json.loads(line))), flush=True)
