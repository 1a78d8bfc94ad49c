"""Makes chain.json: backups as a real Cinder writes them, by its own posix driver, without its services and its database.

    /usr/bin/python3 make-chain.py > chain.json

Cinder is Debian's python3-cinder. Chunks are of 8 KiB and blocks of 4 KiB, so that the files stay small. A chain for each compression:
a full backup, an increment in which some blocks were written and some were zeroed, and one in which a block that was zeroed is
written again.
"""
import base64
import hashlib
import json
import os
import shutil
import sys
import tempfile

from posix_chain import Chain

KIB = 1024


def noise(count, seed):
    return b''.join(hashlib.sha256(b'%d %d' % (seed, i)).digest() for i in range(count // 32))


def text(count, word):
    return (word * count)[:count]


def disks():
    disk = bytearray(64 * KIB)
    disk[0:24 * KIB] = text(24 * KIB, b'What a volume holds. ')
    disk[24 * KIB:32 * KIB] = noise(8 * KIB, 1)
    disk[32 * KIB:40 * KIB] = text(8 * KIB, b'more of it ')
    disk[48 * KIB:52 * KIB] = text(4 * KIB, b'almost at the end ')
    yield bytes(disk)
    disk[4 * KIB:8 * KIB] = text(4 * KIB, b'written later ')
    disk[12 * KIB:20 * KIB] = bytes(8 * KIB)
    disk[28 * KIB:36 * KIB] = bytes(8 * KIB)
    yield bytes(disk)
    disk[16 * KIB:20 * KIB] = noise(4 * KIB, 2)
    disk[60 * KIB:64 * KIB] = text(4 * KIB, b'the end')
    yield bytes(disk)


def chain(algorithm, first):
    path = tempfile.mkdtemp()
    sizes = {'backup_file_size': 8 * KIB, 'backup_sha_block_size_bytes': 4 * KIB}
    made = Chain(path, first, backup_compression_algorithm=algorithm, **sizes)
    backups = []
    for disk in disks():
        with tempfile.TemporaryFile() as file:
            file.write(disk)
            file.seek(0)
            backup = made.back_up(file)
        backups.append({'id': backup.id, 'container': backup.container, 'prefix': backup.service_metadata,
                        'object_count': backup.object_count, 'sha256': hashlib.sha256(disk).hexdigest()})
    files = {}
    for folder, _, names in os.walk(path):
        for name in names:
            if name.endswith('_sha256file'):
                continue  # Nobody needs it to read.
            with open(os.path.join(folder, name), 'rb') as file:
                files[os.path.relpath(os.path.join(folder, name), path)] = base64.b64encode(file.read()).decode()
    shutil.rmtree(path)
    return {'backups': backups, 'files': dict(sorted(files.items()))}


made = {algorithm: chain(algorithm, 16 * (place + 1)) for place, algorithm in enumerate(['zlib', 'zstd'])}
json.dump(made, sys.stdout, indent=2)
print()
