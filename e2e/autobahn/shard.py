"""Runs one shard of Autobahn|Testsuite's fuzzing client. CPython 2.7; started by run.py.

    shard.py CONFIG

CONFIG is a JSON file: url, agent, messages, cases (patterns), shard, shards, out (a folder).
The names of the shard's cases go to OUT/cases.json before the first one runs, so that a case that never
reports can be told from a case that was never asked for.
"""

import io
import json
import os
import sys

from autobahntestsuite import case, caseset, wstest
from autobahntestsuite.case import case12_x_x


def main():
    config = json.load(io.open(sys.argv[1]))
    out = config["out"]

    # A compression case sends 1,000 messages unless told otherwise: a quarter of an hour of zlib.
    for compression_case in case12_x_x.Case12_X_X + case12_x_x.Case13_X_X:
        compression_case.COUNT = config["messages"]

    known = caseset.CaseSet("Case", "Case", case.Cases, case.CaseCategories, case.CaseSubCategories)
    every = known.parseSpecCases({"cases": config["cases"], "exclude-cases": []})
    # Every n-th, not a slice: the slow cases stand together.
    mine = every[config["shard"]::config["shards"]]
    write(os.path.join(out, "cases.json"), mine)

    spec = os.path.join(out, "spec.json")
    write(spec, {
        "outdir": out,
        "servers": [{"agent": config["agent"], "url": config["url"]}],
        "cases": mine,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    })
    sys.argv = ["wstest", "--mode", "fuzzingclient", "--spec", spec]
    return wstest.run()


def write(path, value):
    with open(path, "w") as target:
        json.dump(value, target)


if __name__ == "__main__":
    sys.exit(main())
