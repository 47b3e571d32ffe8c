#!/usr/bin/python3
"""cli_table.py - what holds for every command of the table: an answer as JSON has the shape that its
help documents, a dry run changes nothing, what destroys asks first.

The reference (`weir reference`) says which commands there are and which flags they take; a new one
without an example here fails the test.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import shape
from lib.cluster import WEIR, Cluster, Failed, expect, expect_eq, main, test, wait_for

# Arguments after the command's own words; FILE and DIR are made by the test.
LOOKS = {
    "cluster health": [], "cluster check": [], "cluster can-restart": ["1"], "cluster info": [], "cluster id": [],
    "cluster top": ["--interval", "20ms"], "cluster describe-errors": [], "cluster features": [],
    "brokers list": [], "brokers describe": ["1"], "brokers logdirs": [], "brokers api-versions": ["1"],
    "topics list": [], "topics describe": [], "topics find": [],
    "partitions list": [], "partitions describe": ["t-0"], "partitions epochs": ["t-0"],
    "partitions offsets": ["t"], "partitions verify": ["t"], "leaders list": ["--by", "rack"],
    "isr list": [], "isr describe": ["t-0"], "isr history": ["t-0"], "replicas status": [],
    "configs get": ["topics/t"], "configs list": ["topics/t"], "configs describe": ["topics/t"],
    "quorum describe": [], "quorum status": [], "quorum replication": [],
    "metadata log dump": [], "metadata snapshot show": [], "metadata snapshot list": [],
    "metadata snapshot save": ["FILE"], "metadata ls": [], "metadata cat": [], "metadata diff": ["1"],
    "log dump": ["SEGMENT"], "log segments": ["LOGDIR"], "log index": ["INDEX"],
    "log compare": ["DATA1", "DATA2", "--partition", "t-0"],
    "local status": [], "local logs": [], "local env": [], "events": [], "debug bundle": ["DIR"], "doctor": [], "version": [],
}
# In this order: what one leaves behind the next may need.
CHANGES = (
    ("topics create", ["new", "-p", "2"]),
    ("topics alter", ["new", "-p", "3"]),
    ("topics clone", ["new", "copy"]),
    ("configs set", ["topics/new", "retention.ms=1000"]),
    ("configs unset", ["topics/new", "retention.ms"]),
    ("topics trim", ["t", "--before", "3", "--yes"]),
    ("topics delete", ["copy", "--yes"]),
    ("cluster features upgrade", ["metadata.version=30"]),
    ("cluster features downgrade", ["metadata.version=30"]),
    ("leaders move", ["--from", "1"]),
    ("leaders elect", ["t-0"]),
    ("leaders balance", []),
    ("replicas set-factor", ["new", "2"]),
    ("brokers drain", ["4"]),
    ("brokers undrain", ["4"]),
    ("replicas reassign", ["--topics", "new", "--to", "1,2,3"]),
    ("replicas cancel", []),
    ("replicas rebalance", []),
    ("brokers fence", ["4", "--allow-unavailable"]),
    ("brokers unfence", ["4"]),
    ("quorum transfer-leader", []),
    ("quorum remove-voter", ["STANDBY", "--yes"]),
    ("quorum add-voter", ["STANDBY"]),
    ("local pause", ["4"]),
    ("local resume", ["4"]),
    ("local kill", ["4"]),
    ("brokers unregister", ["4", "--keep-replicas", "--yes"]),
    ("local restart", ["4"]),
    ("local up", []),
    ("local down", []),
    ("local purge", ["--yes"]),
)
# Where there is nothing to be shown: their shape is that of other answers, or of none.
ELSEWHERE = {"profile show"}


def sections():
    text = subprocess.run([WEIR, "reference"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(re.findall(r"^## weir ([^\n]*)\n(.*?)(?=^## weir |\Z)", text, re.M | re.S))


def shape_in(section):
    found = re.search(r"^`-o json`: `(.*)`$", section, re.M)
    return found and found.group(1)


def takes(section, flag):
    return re.search(rf"^- (`-\w`, )?`--{flag}\b", section, re.M) is not None


def fill(c, args):
    """Examples' words in capitals are files, directories and nodes of this cluster."""
    free = tempfile.mkdtemp(dir=c.dir)    # what is there is not written over
    words = {"FILE": os.path.join(free, "saved.weir"), "DIR": os.path.join(free, "bundle")}
    if {"LOGDIR", "SEGMENT", "INDEX", "DATA1"} & set(args):
        log_dir = c.log_dir(1, "t")
        first = os.path.join(log_dir, "0" * 20)
        words.update({"LOGDIR": log_dir, "SEGMENT": first + ".log", "INDEX": first + ".index",
                      "DATA1": os.path.dirname(log_dir), "DATA2": os.path.dirname(c.log_dir(2, "t"))})
    if "STANDBY" in args:
        members = {m["role"]: str(m["id"]) for m in c.json("quorum", "describe")["items"]}
        words["STANDBY"] = members.get("observer", members.get("voter"))
    return [words.get(a, a) for a in args]


def state(c):
    return c.json("metadata", "cat")["items"]


def answer(c, sections, path, args, *more):
    """Runs it, and its answer has the shape that is documented."""
    words = path.split() + fill(c, args) + list(more)
    if path in ("partitions verify", "metadata snapshot list"):
        words += ["--dir", c.dir]
    got = c.weir(*words, "-o", "json", check=False, timeout=60)
    expect(got.returncode in (0, 1), f"{' '.join(words)}: exit {got.returncode}: {got.stderr}")
    try:
        shape.check(json.loads(got.stdout), shape_in(sections[path]))
    except (shape.Mismatch, ValueError) as e:
        raise Failed(f"{' '.join(words)} -o json: {e}: {got.stdout[:200]!r} {got.stderr}")
    return got


def settled(c):
    wait_for(lambda: c.weir("cluster", "health", check=False).returncode == 0, 20, "all to be well")


def ready():
    c = Cluster(brokers=4, controllers=3)
    c.check_files = lambda: None    # the last command deletes them
    return c


def begin(c):
    c.weir("topics", "create", "t", "--replicas", "1,2,3")
    subprocess.run(["kcat", "-P", "-b", c.bootstrap, "-t", "t", "-p", "0", "-X", "acks=all"], input="x\n" * 10,
                   text=True, check=True, timeout=60)


@test
def every_answer_has_its_documented_shape():
    all_of_them = sections()
    documented = {path for path, section in all_of_them.items() if shape_in(section)}
    expect_eq(documented - set(LOOKS) - {path for path, _ in CHANGES} - ELSEWHERE, set(), "commands without an example")
    with ready() as c:
        begin(c)
        for path, args in LOOKS.items():
            answer(c, all_of_them, path, args)
        for path, args in CHANGES:
            if path == "quorum remove-voter":
                settled(c)
            answer(c, all_of_them, path, args)
            if path in ("brokers unfence", "local resume", "leaders move", "quorum transfer-leader", "quorum add-voter"):
                settled(c)
            if path == "local kill":
                wait_for(lambda: c.json("brokers", "describe", "4")["state"] == "fenced", 10, "broker 4 to be fenced")


@test
def a_dry_run_changes_nothing():
    all_of_them = sections()
    examples = dict(CHANGES)
    with ready() as c:
        begin(c)
        c.weir("topics", "create", "new", "-p", "2")
        c.weir("topics", "create", "copy", "-p", "1")
        before, offsets = state(c), c.json("partitions", "offsets", "t")
        dry = [path for path, section in all_of_them.items() if takes(section, "dry-run")]
        expect(len(dry) > 20, f"only {dry} take --dry-run")
        for path in dry:
            args = [a for a in examples[path] if a != "--yes"]
            if path == "topics create":
                args = ["other"]
            if path == "topics clone":
                args = ["new", "other"]
            if path == "brokers unregister":
                continue    # of one that is gone: below
            answer(c, all_of_them, path, args, "--dry-run")
            expect_eq(state(c), before, f"the metadata after {path} --dry-run")
        expect_eq(c.json("partitions", "offsets", "t"), offsets, "the log of t")
        c.weir("local", "kill", "4")
        wait_for(lambda: c.json("brokers", "describe", "4")["state"] == "fenced", 10, "broker 4 to be fenced")
        before = state(c)
        answer(c, all_of_them, "brokers unregister", ["4", "--keep-replicas"], "--dry-run")
        expect_eq(state(c), before, "the metadata after brokers unregister --dry-run")


@test
def what_destroys_asks_first():
    all_of_them = sections()
    examples = dict(CHANGES)
    with ready() as c:
        begin(c)
        c.weir("topics", "create", "copy", "-p", "1")
        asks = [path for path, section in all_of_them.items() if takes(section, "yes")]
        expect(set(asks) >= {"topics delete", "topics trim", "brokers unregister", "quorum remove-voter", "local purge"},
               f"{asks}")
        c.weir("local", "kill", "4")
        wait_for(lambda: c.json("brokers", "describe", "4")["state"] == "fenced", 10, "broker 4 to be fenced")
        before = state(c)
        for path in asks:
            args = [a for a in examples[path] if a != "--yes"] + (["--unsafe"] if "downgrade" in path else [])
            got = c.weir(*path.split(), *fill(c, args), check=False)
            expect_eq(got.returncode, 6, f"exit code of {path} without --yes ({got.stdout}{got.stderr})")
            expect("--yes" in got.stderr, got.stderr)
            expect_eq(state(c), before, f"the metadata after {path} without --yes")
        expect(os.path.exists(c.nodes[1]["dir"]), "purge without --yes deleted files")


@test
def without_waiting_an_answer_comes_at_once():
    """A paused broker hears of nothing; a change is decided all the same."""
    quick = (("topics", "create", "a"), ("topics", "alter", "a", "-p", "2"), ("topics", "clone", "a", "b"),
             ("configs", "set", "topics/a", "retention.ms=1000"), ("configs", "unset", "topics/a", "retention.ms"),
             ("topics", "delete", "b", "--yes"), ("leaders", "elect", "t-0"))
    with Cluster(controller_conf={"broker.session.timeout.ms": 60000}) as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3")
        c.pause(3)
        try:
            for words in quick:
                began = time.monotonic()
                c.weir(*words, "--no-wait", "-b", c.nodes[1]["address"])
                took = time.monotonic() - began
                expect(took < 15, f"{' '.join(words)} --no-wait took {took:.1f} s, waiting takes 30")
            began = time.monotonic()
            c.weir("topics", "create", "late", "--wait", "2", "-b", c.nodes[1]["address"], check=False)
            expect(time.monotonic() - began > 1.5, "with --wait nobody was waited for")
        finally:
            c.resume(3)


@test
def explain_counts_the_requests():
    """topics describe costs two questions to the control plane and three to each broker, however many
    partitions there are; all of the brokers' leave before the first answer comes."""
    with Cluster() as c:
        c.weir("topics", "create", "big", "-p", "60")
        lines = c.weir("topics", "describe", "big", "--explain").stderr.splitlines()
        sent = [i for i, line in enumerate(lines) if line.startswith("-> ") and "ListOffsets" in line]
        received = [i for i, line in enumerate(lines) if line.startswith("<- ") and "ListOffsets" in line]
        expect_eq((len(sent), len(received)), (9, 9), f"questions about offsets in {lines}")
        expect(max(sent) < min(received), f"an answer was awaited before all had been asked: {lines}")
        control = [line for line in lines if line.startswith("-> ") and "ListOffsets" not in line]
        expect_eq(len(control), 2, f"questions to the control plane in {lines}")


if __name__ == "__main__":
    main()
