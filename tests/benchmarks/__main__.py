"""
How many tasks a second the real daemon runs, from the rename of the file to the last outcome.

    python -m tests.benchmarks [--count 10000] [--rounds 5] [--executor noop]

The daemon is its own process with its default, durable settings, on a directory of the disk given
by `--directory` (the system's temporary one unless given). Prints a table in Markdown: medians over
the rounds, then the least and the most.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .workloads import WORKLOADS, task_file


class RunningDaemon:
    """`inboxd run` on an inbox and a state directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.inbox = directory / "inbox"
        self.state = directory / "state"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("INBOXD_")}
        environment["XDG_RUNTIME_DIR"] = str(directory)
        self.log = (directory / "log").open("wb")
        self.process = subprocess.Popen(
            [
                Path(sys.executable).with_name("inboxd"), "run",
                "--inbox", self.inbox, "--state", self.state,
            ],
            env=environment,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait_for(lambda: (self.inbox / "results").is_dir())
        time.sleep(0.5)

    def run(self, content: bytes, name: str) -> tuple[float, float]:
        """
        Drop a file and wait for its result.

        Returns:
            Seconds from the rename to the acceptance, and to the tree's end, as committed.
        """
        hidden = self.inbox / f".{name}.part"
        hidden.write_bytes(content)
        begun = time.time()
        hidden.rename(self.inbox / f"{name}.json")
        result = self.inbox / "results" / f"{name}.result.json"
        self._wait_for(result.exists)
        connection = sqlite3.connect(f"file:{self.state / 'inboxd.db'}?mode=ro", uri=True)
        accepted, ended, status = connection.execute(
            "SELECT accepted_at, ended_at, status FROM trees WHERE file_name = ?",
            (f"{name}.json".encode(),),
        ).fetchone()
        connection.close()
        if status != "completed":
            raise SystemExit(f"{name} ended as {status}")
        return accepted / 1e6 - begun, ended / 1e6 - begun

    def peak_rss_mib(self) -> float:
        """Return the most memory that the daemon had so far."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def _wait_for(self, condition: object) -> None:
        deadline = time.monotonic() + 600
        while not condition():  # type: ignore[operator]
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(Path(self.log.name).read_text())
            time.sleep(0.002)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--executor", choices=["noop", "command"], default="noop")
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS))
    parser.add_argument("--directory", type=Path, default=None)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
          f"{time.strftime('%Y-%m-%d')}; {options.count} tasks, {options.executor}, "
          f"{options.rounds} rounds\n")  # fmt: skip
    print("| workload | tasks/s: median (least - most) | accepted after, s | peak RSS, MiB |")
    print("|---|---|---|---|")
    for workload in options.workloads:
        content = task_file(workload, options.count, executor=options.executor)
        rates: list[float] = []
        acceptances: list[float] = []
        peak = 0.0
        for round_number in range(options.rounds):
            directory = Path(tempfile.mkdtemp(prefix="inboxd-bench-", dir=options.directory))
            daemon = RunningDaemon(directory)
            accepted, ended = daemon.run(content, f"{workload.lower()}-{round_number}")
            peak = max(peak, daemon.peak_rss_mib())
            daemon.stop()
            shutil.rmtree(directory)
            rates.append(options.count / ended)
            acceptances.append(accepted)
        print(f"| {workload} {WORKLOADS[workload]} | {statistics.median(rates):,.0f} "
              f"({min(rates):,.0f} - {max(rates):,.0f}) | {statistics.median(acceptances):.2f} "
              f"| {peak:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
