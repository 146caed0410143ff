"""A real standalone cluster of Spark on the loopback interface: a master, workers, and jobs that are submitted to it.

What is started is stopped, by its process id, when the cluster is left.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

START_SECONDS = 90
JOB_SECONDS = 600


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def spark_home():
    import pyspark

    return pathlib.Path(pyspark.__file__).parent


def descendants(process):
    """The processes that a process has started, and those that these have, by /proc."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rsplit(") ", 1)[1].split()[1])
    found, open_ = [], [process]
    while open_:
        parent = open_.pop()
        children = [child for child, of in parents.items() if of == parent]
        found += children
        open_ += children
    return found


def kill_all(processes):
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Standalone:
    """A master and some workers, each with one core."""

    def __init__(self, folder, workers):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.started, self.workers = [], []
        self.env = {
            **os.environ,
            "SPARK_HOME": str(spark_home()),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
        }
        self.master_url = f"spark://127.0.0.1:{self.port}"
        self.master_ui = free_port()
        master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1"]
        self.master = self.start("master", [*master, "--port", str(self.port), "--webui-port", str(self.master_ui)])
        self.wait_for(lambda: self.state() is not None)
        for _ in range(workers):
            self.add_worker()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            if process.poll() is None:
                children = descendants(process.pid)
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                kill_all(children)

    def start(self, name, words):
        log = open(self.folder / f"{name}.log", "ab")
        command = [str(spark_home() / "bin" / "spark-class"), *words]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=self.env, cwd=self.folder)
        self.started.append(process)
        return process

    def state(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.master_ui}/json/", timeout=5) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError, ValueError):
            return None

    def wait_for(self, is_so):
        until = time.monotonic() + START_SECONDS
        while not is_so():
            if time.monotonic() > until:
                raise TimeoutError("the cluster did not start: " + (self.folder / "master.log").read_text()[-2_000:])
            time.sleep(0.2)

    def alive(self):
        state = self.state() or {"workers": []}
        return [worker for worker in state["workers"] if worker["state"] == "ALIVE"]

    def add_worker(self):
        count, number = len(self.alive()), len(self.started)
        worker = self.start(
            f"worker-{number}",
            ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "2g"]
            + ["--webui-port", "0", "--work-dir", str(self.folder / f"work-{number}"), self.master_url],
        )
        self.workers.append(worker)
        self.wait_for(lambda: len(self.alive()) > count)
        return worker

    def kill_worker(self):
        """Kills the oldest worker and its executor, as a host that is gone."""
        worker = self.workers.pop(0)
        kill_all([worker.pid, *descendants(worker.pid)])
        worker.wait()

    def command(self, files, words, conf=()):
        """The command of a job, and the port of its UI."""
        ui = free_port()
        settings = {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.port": str(ui),
            "spark.executor.memory": "1g",
            "spark.executor.cores": "1",
            # Executors that a killed worker takes along are no fault of the job.
            "spark.excludeOnFailure.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            **dict(conf),
        }
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        submit = [str(spark_home() / "bin" / "spark-submit"), "--master", self.master_url, *options, *files]
        return [*submit, *words], ui

    def submit(self, files, words, conf=()):
        """Runs a job to its end."""
        command, _ = self.command(files, words, conf)
        done = subprocess.run(command, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=JOB_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}\n{done.stderr[-6_000:]}")
        return done

    def begin(self, files, words, conf=()):
        """Starts a job; returns its process and the port of its UI."""
        command, ui = self.command(files, words, conf)
        process = subprocess.Popen(command, env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.started.append(process)
        return process, ui


def stages(ui):
    """The stages of a running job, as its UI has them; none where it does not answer."""
    base = f"http://127.0.0.1:{ui}/api/v1/applications"
    try:
        with urllib.request.urlopen(base, timeout=5) as answer:
            application = json.load(answer)[0]["id"]
        with urllib.request.urlopen(f"{base}/{application}/stages", timeout=5) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError, ValueError, IndexError):
        return []
