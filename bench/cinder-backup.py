"""A disk in three states, backed up one after the other by the posix driver of a real Cinder, and restored from the last:

    /usr/bin/python3 bench/cinder-backup.py DIRECTORY FULL BIG SMALL

without its services and its database. Prints as JSON the CPU seconds of each call, without those of the start, and how many MiB the last increment took.
Objects of 50 MiB, as those of Swift and S3 are; the rest as the driver has it. The restored disk is DIRECTORY/restored.
"""
import contextlib
import json
import os
import sys
from unittest import mock

from cinder.backup import chunkeddriver
from cinder.backup.drivers import posix
from cinder import objects

SIZE = 1024 ** 3
VOLUME = '11111111-2222-4333-8444-555555555555'


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


def cpu_of(work):
    before = sum(os.times()[:4])
    work()
    return sum(os.times()[:4]) - before


def size_of(path):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


def main(directory, disks):
    objects.register_all()
    posix.CONF.set_override('connection', 'sqlite://', 'database')
    posix.CONF.set_override('backup_posix_path', directory)
    posix.CONF.set_override('backup_file_size', 52428800)
    posix.CONF.set_override('backup_enable_progress_timer', False)
    volume = {'id': VOLUME, 'name': 'volume', 'size': 1, 'encryption_key_id': None}
    driver = posix.PosixBackupDriver(mock.Mock(), directory)
    driver.db = mock.Mock()
    driver.db.volume_get.return_value = volume
    driver.get_metadata = lambda _: json.dumps({'version': 2, 'volume-base-metadata': {'id': VOLUME, 'encryption_key_id': None}})
    driver.put_metadata = lambda *_: None
    made, costs, before = {}, [], 0
    parent = None
    with mock.patch.object(objects.Backup, 'get_by_id', lambda _, backup_id, **__: made[backup_id]), \
            mock.patch.object(chunkeddriver.volume_utils, 'notify_about_backup_usage'):
        for number, disk in enumerate(disks):
            backup_id = '%08x-aaaa-4bbb-8ccc-dddddddddddd' % number
            parent = made[backup_id] = Backup(
                id=backup_id, volume_id=VOLUME, size=1, container=None, status='creating', object_count=0,
                parent_id=parent.id if parent else None, parent=parent, display_name='b', display_description=None,
                availability_zone='nova', service_metadata=None, created_at='2026-11-30 00:00:00', encryption_key_id=None,
                project_id='p', user_id='u', volume=None)
            before = size_of(directory)
            with open(disk, 'rb') as file:
                costs.append(cpu_of(lambda: driver.backup(parent, file)))
        small = (size_of(directory) - before) / 1024 ** 2
        for backup in made.values():
            backup.status = 'restoring'
        with open(os.path.join(directory, 'restored'), 'w+b') as file:
            file.truncate(SIZE)
            restore = cpu_of(lambda: (driver.restore(parent, VOLUME, file), os.fsync(file.fileno())))
    return {'full': costs[0], 'big': costs[1], 'smallMib': small, 'restore': restore}


print(json.dumps(main(sys.argv[1], sys.argv[2:])))
