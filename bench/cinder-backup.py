"""A disk in three states, backed up one after the other by the posix driver of a real Cinder, and restored from the last:

    PYTHONPATH=test/backups/cinder /usr/bin/python3 bench/cinder-backup.py DIRECTORY FULL BIG SMALL

without its services and its database. Prints as JSON the CPU seconds of each call, without those of the start, and how many MiB the last increment took.
Objects of 50 MiB, as those of Swift and S3 are; the rest as the driver has it. The restored disk is DIRECTORY/restored.
"""
import json
import os
import sys

from posix_chain import Chain

SIZE = 1024 ** 3


def cpu_of(work):
    before = sum(os.times()[:4])
    work()
    return sum(os.times()[:4]) - before


def size_of(path):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


def main(directory, disks):
    chain = Chain(directory, backup_file_size=52428800)
    costs, before = [], 0
    for disk in disks:
        before = size_of(directory)
        with open(disk, 'rb') as file:
            costs.append(cpu_of(lambda: chain.back_up(file)))
    small = (size_of(directory) - before) / 1024 ** 2
    with open(os.path.join(directory, 'restored'), 'w+b') as file:
        file.truncate(SIZE)
        restore = cpu_of(lambda: (chain.restore_newest(file), os.fsync(file.fileno())))
    return {'full': costs[0], 'big': costs[1], 'smallMib': small, 'restore': restore}


print(json.dumps(main(sys.argv[1], sys.argv[2:])))
