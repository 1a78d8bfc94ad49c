"""Backups of one volume by the posix driver of a real Cinder, without its services and its database: each is an increment to the one before.

Imported by programs that make some. What Cinder imports is in Debian's python3-cinder.
"""
import contextlib
import json
from unittest import mock

from cinder.backup import chunkeddriver
from cinder.backup.drivers import posix
from cinder import objects

VOLUME = '11111111-2222-4333-8444-555555555555'

objects.register_all()


class Backup(dict):
    """What the driver is given in place of a row."""

    __getattr__ = dict.__getitem__

    def __setattr__(self, name, value):
        self[name] = value

    def save(self):
        pass

    def refresh(self):
        pass

    def as_read_deleted(self):
        return contextlib.nullcontext()


class Chain:
    def __init__(self, directory, first=0, **options):
        """`first`: of the ids, which count up. `options`: of cinder.conf, which hold for all chains of a process from then on."""
        posix.CONF.set_override('connection', 'sqlite://', 'database')
        for name, value in {'backup_posix_path': directory, 'backup_enable_progress_timer': False, **options}.items():
            posix.CONF.set_override(name, value)
        self.first = first
        self.backups = []
        self.driver = posix.PosixBackupDriver(mock.Mock(), directory)
        self.driver.db = mock.Mock()
        self.driver.db.volume_get.return_value = {'id': VOLUME, 'name': 'volume', 'size': 1, 'encryption_key_id': None}
        about = {'version': 2, 'volume-base-metadata': {'id': VOLUME, 'encryption_key_id': None}}
        self.driver.get_metadata = lambda _: json.dumps(about)
        self.driver.put_metadata = lambda *_: None

    def back_up(self, file):
        parent = self.backups[-1] if self.backups else None
        backup = Backup(
            id='%08x-aaaa-4bbb-8ccc-dddddddddddd' % (self.first + len(self.backups)), volume_id=VOLUME, size=1,
            container=None, status='creating', object_count=0, parent_id=parent and parent.id, parent=parent,
            display_name='b', display_description=None, availability_zone='nova', service_metadata=None,
            created_at='2026-11-30 00:00:00', encryption_key_id=None, project_id='p', user_id='u', volume=None)
        self.backups.append(backup)
        with self._known():
            self.driver.backup(backup, file)
        return backup

    def restore_newest(self, file):
        for backup in self.backups:
            backup.status = 'restoring'
        with self._known():
            self.driver.restore(self.backups[-1], VOLUME, file)

    @contextlib.contextmanager
    def _known(self):
        known = {backup.id: backup for backup in self.backups}
        with mock.patch.object(objects.Backup, 'get_by_id', lambda _, backup_id, **__: known[backup_id]), \
                mock.patch.object(chunkeddriver.volume_utils, 'notify_about_backup_usage'):
            yield
