"""Finds the `topsell` binary on the host that this runs on, and runs it.

The wheel has it. Where the package was not installed but came as an archive (`--py-files topsell_spark.zip`), it is
written into a temporary folder once per host and version.
"""

import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import time
import zipfile

#: A usage error, which another try would have, too.
USAGE_ERROR = 2
SAID_BYTES = 4_000


class Failed(Exception):
    """`topsell` has failed."""

    def __init__(self, words, code, said):
        super().__init__(f"topsell {' '.join(words)}: exit code {code}: {said}")
        self.code = code
        self.said = said


def path():
    """The path of the binary."""
    told = os.environ.get("TOPSELL_PROGRAM")
    if told:
        return told
    beside = pathlib.Path(__file__).parent / "bin" / "topsell"
    if beside.is_file() and os.access(beside, os.X_OK):
        return str(beside)
    archive = getattr(globals().get("__loader__"), "archive", None)
    if archive is None:
        raise FileNotFoundError("this package has no topsell binary; set TOPSELL_PROGRAM to the path of one")
    return str(_unpacked(archive))


def _unpacked(archive):
    with zipfile.ZipFile(archive) as files:
        # By its checksum in the archive's directory, so that it is read once a host, not for each task.
        entry = files.getinfo(f"{__package__}/bin/topsell")
        folder = pathlib.Path(tempfile.gettempdir()) / f"topsell-spark-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
            raise PermissionError(f"{folder} belongs to somebody else")
        program = folder / f"topsell-{entry.CRC:08x}-{entry.file_size}"
        if not program.exists():
            # Other tasks of the same host may be writing it, too: each has a file of its own, and the last rename wins.
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as out:
                with files.open(entry) as packed:
                    shutil.copyfileobj(packed, out)
            os.chmod(out.name, 0o755)
            os.rename(out.name, program)
    return program


def run(lake, words, threads=None, trace=None):
    """Runs `topsell` on a lake, and returns what it printed and what it took."""
    options = ["--lake", lake, *(["--threads", str(threads)] if threads else [])]
    env = {**os.environ, **({"TRACEPARENT": trace} if trace else {})}
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([path(), *options, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise Failed(words, done.returncode, done.stderr.strip()[-SAID_BYTES:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"printed": done.stdout, "said": done.stderr, "seconds": time.monotonic() - began, "cpu_seconds": cpu}
