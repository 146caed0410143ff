"""A disk that records what is written to it, in order, with its flushes.

It is a file in a FUSE file system, behind a loop device: the kernel hands each block write and each cache
flush of the device on to the file. `Disk` runs it; as a program, this file is its server.

The record is a sequence of entries: kind (`W`rite, `F`lush), offset, length, then the bytes of a write.
"""

import errno
import os
import pathlib
import stat
import struct
import subprocess
import sys
import time

ENTRY = struct.Struct("<cQQ")
SECTOR = 512


class Disk:
    """A loop device over a recorded file; close() removes the device and the server."""

    def __init__(self, directory, size):
        self.directory = pathlib.Path(directory)
        self.record = self.directory / "record"
        self.record.touch()
        with open(self.directory / "blocks", "wb") as blocks:
            blocks.truncate(size)
        point = self.directory / "fuse"
        point.mkdir()
        self.point = point
        self.server = subprocess.Popen([sys.executable, __file__, self.directory, point])
        for _ in range(500):
            if (point / "disk").exists():
                break
            if self.server.poll() is not None:
                raise RuntimeError("the FUSE file system cannot be mounted")
            time.sleep(0.01)
        self.device = loop_device(point / "disk")

    def recorded(self):
        """Returns how many bytes have been recorded: a moment in the order of writes."""
        return self.record.stat().st_size

    def close(self):
        subprocess.run(["losetup", "-d", self.device], check=False)
        wait_until_detached(self.device)
        subprocess.run(["umount", self.point], check=False)
        try:
            self.server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.server.kill()


def loop_device(file):
    done = subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def wait_until_detached(device):
    """A device is detached a moment after it was asked to."""
    for _ in range(500):
        if not pathlib.Path(f"/sys/block/{pathlib.Path(device).name}/loop/backing_file").exists():
            return
        time.sleep(0.01)


class Record:
    """The entries of a record, and images of the disk as of a moment of it."""

    def __init__(self, disk_directory, size):
        self.path = pathlib.Path(disk_directory) / "record"
        self.size = size
        # (position behind the entry, kind, offset, length, position of the bytes)
        self.entries = []
        with open(self.path, "rb") as record:
            while header := record.read(ENTRY.size):
                kind, offset, length = ENTRY.unpack(header)
                data = record.tell()
                if kind == b"W":
                    record.seek(length, os.SEEK_CUR)
                self.entries.append((record.tell(), kind, offset, length, data))
        self.base = pathlib.Path(disk_directory) / "base"
        with open(self.base, "wb") as base:
            base.truncate(size)
        self.applied = 0

    def image(self, path, cut, keeps, flushes_ignored=0):
        """Writes the disk as a power failure behind `cut` entries may leave it: what was flushed is there; of
        each later write, `keeps(sectors)` tells which of its sectors are. Cuts must not go back."""
        flushed = 0
        flushes = [at for at in range(cut) if self.entries[at][1] == b"F"]
        if len(flushes) > flushes_ignored:
            flushed = flushes[-1 - flushes_ignored]
        with open(self.path, "rb") as record:
            with open(self.base, "r+b") as base:
                for at in range(self.applied, max(self.applied, flushed)):
                    self.write(record, base, at, None)
            self.applied = max(self.applied, flushed)
            subprocess.run(["cp", "--sparse=always", self.base, path], check=True)
            with open(path, "r+b") as image:
                for at in range(self.applied, cut):
                    self.write(record, image, at, keeps)
        return cut - self.applied

    def write(self, record, image, at, keeps):
        _, kind, offset, length, data = self.entries[at]
        if kind != b"W":
            return
        record.seek(data)
        block = record.read(length)
        if keeps is None:
            image.seek(offset)
            image.write(block)
            return
        for sector, kept in enumerate(keeps(-(-length // SECTOR))):
            if kept:
                image.seek(offset + sector * SECTOR)
                image.write(block[sector * SECTOR : (sector + 1) * SECTOR])


def serve(directory, point):
    from fuse import FUSE, FuseOSError, Operations

    class Recorded(Operations):
        def __init__(self):
            self.blocks = os.open(f"{directory}/blocks", os.O_RDWR)
            self.record = os.open(f"{directory}/record", os.O_WRONLY | os.O_APPEND)

        def getattr(self, path, fh=None):
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
            if path != "/disk":
                raise FuseOSError(errno.ENOENT)
            size = os.fstat(self.blocks).st_size
            return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

        def readdir(self, path, fh):
            return [".", "..", "disk"]

        def read(self, path, size, offset, fh):
            return os.pread(self.blocks, size, offset)

        def write(self, path, data, offset, fh):
            os.writev(self.record, [ENTRY.pack(b"W", offset, len(data)), data])
            return os.pwrite(self.blocks, data, offset)

        def fsync(self, path, datasync, fh):
            os.write(self.record, ENTRY.pack(b"F", 0, 0))

    FUSE(Recorded(), point, foreground=True, nothreads=True, big_writes=True, max_write=131072)


if __name__ == "__main__":
    serve(*sys.argv[1:])
