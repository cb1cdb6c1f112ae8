#!/usr/bin/env python3
"""Autobahn|Testsuite against an echo server: every case must pass, strictly.

    run.py --server target/release/examples/echo    starts the server, runs all cases, ends the server
    run.py --url ws://127.0.0.1:9001                uses a server that is already there
    run.py --setup                                  only makes the Python 2.7 environment

The server is started with `--port 0` and must print a line with its `ws://` address. Exit status: 0 when all
cases passed, 1 when one did not, 2 when they could not be run.
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import environment

HERE = Path(__file__).resolve().parent
AGENT = "clank"
ALL_CASES = 517


def main():
    options = parse()
    try:
        python, variables = environment.ensure()
        if options.setup:
            print("autobahn: the environment is ready")
            return 0
        with EchoServer(options.server, options.url) as url:
            out = Path(options.out or tempfile.mkdtemp(prefix="autobahn-"))
            started = time.monotonic()
            finished = run_shards(python, variables, url, out, options)
            seconds = time.monotonic() - started
    except environment.Unavailable as error:
        print(error, file=sys.stderr)
        return 2
    return report(out, options, seconds, finished)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--server", help="echo server to start, a program that takes `--port 0`")
    target.add_argument("--url", help="address of an echo server that runs already")
    target.add_argument("--setup", action="store_true", help="make the environment and stop")
    parser.add_argument("--cases", default="*", help="patterns such as 1.*,9.1.6 (default: all)")
    parser.add_argument("--messages", type=int, default=20, help="messages in each compression case (the suite's own: 1000)")
    parser.add_argument("--shards", type=int, default=2, help="fuzzing clients side by side")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for all cases together")
    parser.add_argument("--out", help="folder for the suite's reports (default: a new temporary one)")
    return parser.parse_args()


class EchoServer:
    """A server's address for as long as the block lasts; a server that we started is ended with it."""

    START_SECONDS = 30

    def __init__(self, program, url):
        self.program, self.url, self.process = program, url, None

    def __enter__(self):
        if self.url:
            return self.url
        try:
            self.process = subprocess.Popen(
                [self.program, "--port", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise environment.Unavailable(f"autobahn: cannot start {self.program}: {error}") from error
        deadline = threading.Timer(self.START_SECONDS, self.process.kill)
        deadline.start()
        for line in self.process.stdout:
            address = re.search(r"ws://\S+", line)
            if address:
                deadline.cancel()
                # What else it prints is read and dropped, or a full pipe would stop it.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return address.group()
        deadline.cancel()
        self.__exit__()
        raise environment.Unavailable(f"autobahn: {self.program} ended, or printed no ws:// address")

    def __exit__(self, *_):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_shards(python, variables, url, out, options):
    """Runs the shards side by side; False if time ran out."""
    print(f"autobahn: {url}, {options.shards} shards, {options.messages} messages a compression case", flush=True)
    processes = []
    deadline = time.monotonic() + options.timeout
    try:
        for shard in range(options.shards):
            folder = out / str(shard)
            shutil.rmtree(folder, ignore_errors=True)  # an earlier run's
            folder.mkdir(parents=True)
            config = folder / "config.json"
            config.write_text(json.dumps({
                "url": url, "agent": AGENT, "messages": options.messages, "cases": options.cases.split(","),
                "shard": shard, "shards": options.shards, "out": str(folder),
            }))
            with open(folder / "log.txt", "w") as log:
                processes.append(subprocess.Popen(
                    [python, "-u", HERE / "shard.py", config], env=variables, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT))
        for process in processes:
            process.wait(max(0, deadline - time.monotonic()))
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        for process in processes:
            process.kill()
            process.wait()


def report(out, options, seconds, finished):
    counts = Counter()
    for shard in (out / str(number) for number in range(options.shards)):
        wanted = read(shard / "cases.json") or []
        index = read(shard / "index.json")
        results = index.get(AGENT, {}) if index else partial_results(shard)
        for case in wanted:
            verdict, detail = judge(results.get(case))
            counts[verdict] += 1
            if verdict != "passed":
                print(f"  case {case}: {verdict} ({detail})")
        if not wanted:
            print(f"autobahn: shard {shard.name} ran no case; the end of its log:")
            print("".join((shard / "log.txt").read_text(errors="replace").splitlines(keepends=True)[-10:]))

    if not finished:
        print(f"autobahn: stopped after {options.timeout:.0f} s")
    total = sum(counts.values())
    complete = total == ALL_CASES or (options.cases != "*" and total > 0)
    if not complete:
        print(f"autobahn: {total} cases were known, not {ALL_CASES}")
    print(f"autobahn: reports in {out}")
    print(f"autobahn: {counts['passed']} passed, {counts['failed']} failed, {counts['non-strict']} non-strict, "
          f"{counts['unimplemented']} unimplemented of {total} cases in {seconds:.0f} s")
    if total == 0:
        return 2
    return 0 if complete and counts["passed"] == total else 1


def judge(result):
    """One case's verdict and what the suite said; a case without a result has failed."""
    if result is None:
        return "failed", "did not report"
    behaviour, closing = result["behavior"], result["behaviorClose"]
    detail = f"behaviour {behaviour}, closing {closing}"
    if behaviour == "UNIMPLEMENTED":
        return "unimplemented", detail
    if closing not in ("OK", "INFORMATIONAL") or behaviour not in ("OK", "INFORMATIONAL", "NON-STRICT"):
        return "failed", detail
    return ("non-strict" if behaviour == "NON-STRICT" else "passed"), detail


def partial_results(shard):
    """The reports of single cases, for a shard that was cut short before it wrote its index."""
    reports = map(read, shard.glob("*_case_*.json"))
    return {case["id"]: case for case in reports if case}


def read(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
