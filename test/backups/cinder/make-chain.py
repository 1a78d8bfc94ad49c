"""Makes chain.json: backups as a real Cinder writes them, by its own posix driver, without its services and its database.

    PYTHONPATH=DIRECTORY python3 make-chain.py > chain.json

DIRECTORY holds the package `cinder`; what it imports is in Debian's python3-os-brick and python3-oslo.*. Chunks are of 8 KiB and
blocks of 4 KiB, so that the files stay small. A chain for each compression: a full backup, an increment in which some blocks were
written and some were zeroed, and one in which a block that was zeroed is written again.
"""
import base64
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from unittest import mock

from cinder.backup import chunkeddriver
from cinder.backup.drivers import posix
from cinder import objects

KIB = 1024
VOLUME = '11111111-2222-4333-8444-555555555555'


def noise(count, seed):
    return b''.join(hashlib.sha256(b'%d %d' % (seed, i)).digest() for i in range(count // 32))


def text(count, word):
    return (word * count)[:count]


class Backup(dict):
    __getattr__ = dict.__getitem__

    def __setattr__(self, name, value):
        self[name] = value

    def save(self):
        pass

    def refresh(self):
        pass

    def as_read_deleted(self):
        return contextlib.nullcontext()


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
    posix.CONF.set_override('connection', 'sqlite://', 'database')
    posix.CONF.set_override('backup_posix_path', path)
    posix.CONF.set_override('backup_file_size', 8 * KIB)
    posix.CONF.set_override('backup_sha_block_size_bytes', 4 * KIB)
    posix.CONF.set_override('backup_enable_progress_timer', False)
    posix.CONF.set_override('backup_compression_algorithm', algorithm)
    made, parent = [], None
    volume = {'id': VOLUME, 'name': 'volume', 'size': 1, 'encryption_key_id': None}
    for number, disk in enumerate(disks()):
        backup_id = '%08x-aaaa-4bbb-8ccc-dddddddddddd' % (first + number)
        backup = Backup(id=backup_id, volume_id=VOLUME, size=1, container=None, status='creating', object_count=0,
                        parent_id=parent.id if parent else None, parent=parent, display_name='b', display_description=None,
                        availability_zone='nova', service_metadata=None, created_at='2026-11-30 00:00:00', encryption_key_id=None,
                        project_id='p', user_id='u')
        driver = posix.PosixBackupDriver(mock.Mock(), path)
        driver.db = mock.Mock()
        driver.db.volume_get.return_value = volume
        driver.get_metadata = lambda _: json.dumps({'version': 2, 'volume-base-metadata': {'id': VOLUME, 'encryption_key_id': None}})
        with tempfile.TemporaryFile() as file:
            file.write(disk)
            file.seek(0)
            with mock.patch.object(objects.Backup, 'get_by_id', lambda *_: parent), \
                    mock.patch.object(chunkeddriver.volume_utils, 'notify_about_backup_usage'):
                driver.backup(backup, file)
        made.append({'id': backup_id, 'container': backup.container, 'prefix': backup.service_metadata,
                     'object_count': backup.object_count, 'sha256': hashlib.sha256(disk).hexdigest()})
        parent = backup
    files = {}
    for folder, _, names in os.walk(path):
        for name in names:
            if name.endswith('_sha256file'):
                continue  # Nobody needs it to read.
            with open(os.path.join(folder, name), 'rb') as file:
                files[os.path.relpath(os.path.join(folder, name), path)] = base64.b64encode(file.read()).decode()
    return {'backups': made, 'files': dict(sorted(files.items()))}


objects.register_all()
made = {algorithm: chain(algorithm, 16 * (place + 1)) for place, algorithm in enumerate(['zlib', 'zstd'])}
json.dump(made, sys.stdout, indent=2)
print()
