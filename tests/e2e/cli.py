#!/usr/bin/python3
"""cli.py - the weir command: what it prints, what it answers to mistakes, how it drives processes."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import shape
from lib.cluster import PATIENCE, WEIR, Cluster, Failed, expect, expect_eq, main, test, wait_for


def weir(*args, env=None, stdin=None):
    """(exit code, stdout, stderr); nothing of the caller's environment tells it where a cluster is."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
    clean.update({"XDG_STATE_HOME": "/nonexistent", **(env or {})})
    run = subprocess.run([WEIR, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         env=clean, stdin=stdin or subprocess.DEVNULL, timeout=120)
    return run.returncode, run.stdout, run.stderr


def refused(code, *args, says):
    got, out, err = weir(*args)
    expect_eq(got, code, f"exit code of {' '.join(args)} ({err.strip()})")
    expect(err.startswith("error: "), f"{' '.join(args)}: {err!r}")
    expect(says in err, f"{' '.join(args)}: {err!r} does not say {says!r}")
    expect_eq(err.count("\n"), 1, f"lines of {err!r}")


def connected(pid, port):
    """Waits until the process has a connection to the port."""
    inodes = lambda: {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}

    def is_there():
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f]
        return any(r[2].endswith(":%04X" % port) and r[3] == "01" and f"socket:[{r[9]}]" in inodes() for r in rows[1:])
    wait_for(is_there, 10, f"process {pid} to ask port {port}")


def golden(text, want):
    """Equal but for runs of blanks and what differs from run to run."""
    text = re.sub(r"[A-Za-z0-9_-]{22}", "ID", text)
    text = re.sub(r"\b\d+(\.\d+)?(ms|s)\b", "TIME", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    squeeze = lambda t: [" ".join(line.split()) for line in t.strip().splitlines()]
    expect_eq(squeeze(text), squeeze(want), "output")


# ---- without a cluster --------------------------------------------------------------------------

@test
def mistakes_get_one_sentence_and_an_exit_code():
    refused(2, "topix", "list", says="did you mean weir topics?")
    refused(2, "topics", "lst", says="did you mean weir topics list?")
    refused(2, "health", says="did you mean weir cluster health?")
    refused(2, "topics", "create", says="nothing was given")
    refused(2, "topics", "create", "a", "--partition", "3", says="did you mean --partitions?")
    refused(2, "topics", "create", "a", "-p", "many", says="a whole number")
    refused(2, "topics", "create", "a", "-p", says="needs a value: --partitions N, for example --partitions 3")
    refused(2, "topics", "create", "a", "-p", "--yes", says="needs a value, and next comes --yes")
    refused(2, "brokers", "list", "extra", says="takes no argument")
    refused(2, "brokers", "list", "-o", "yaml", says="no output format")
    refused(2, "partitions", "describe", "orders", says="write TOPIC-NUMBER")
    refused(2, "configs", "set", "topics/a", "key", says="KEY=VALUE")
    refused(2, "configs", "get", "orders", says="topics/NAME")
    for what in ("a host:9092", "host:0", "", "x=y", "a:1,b:99999"):
        refused(2, "profile", "use", what, says="is no address")
    refused(2, "profile", "use", "a:1", "\\n", says="is no address")


@test
def an_answer_that_cannot_be_written_is_an_error():
    for to, why in ((">/dev/full", "No space left"), (">&-", "Bad file descriptor")):
        got = subprocess.run(["sh", "-c", f"{WEIR} version {to}"], stderr=subprocess.PIPE, text=True, timeout=60)
        expect_eq(got.returncode, 1, f"exit code with {to}")
        expect(got.stderr.startswith("error: the answer cannot be written") and why in got.stderr, f"{to}: {got.stderr!r}")


@test
def a_closed_descriptor_is_never_reused():
    with Cluster(brokers=1) as c:
        for node in (101, 1):
            os.kill(c.nodes[node]["pid"], signal.SIGKILL)
            program = os.path.join(os.path.dirname(WEIR), f"weir-{c.nodes[node]['role']}")
            conf = os.path.join(c.nodes[node]["dir"], f"{c.nodes[node]['role']}.properties")
            wait_for(lambda: c.json("local", "status", check=False)["items"][node == 1]["state"] != "running", 5, "the end")
            p = subprocess.Popen(["sh", "-c", f"exec {program} {conf} <&- >&- 2>&-"])
            try:
                wait_for(lambda: [os.readlink(f"/proc/{p.pid}/fd/{n}") for n in (0, 1, 2)] == ["/dev/null"] * 3
                         if os.path.exists(f"/proc/{p.pid}/fd/2") else False, 10, "three descriptors of nothing")
            finally:
                p.kill()
                p.wait()
    refused(2, "leaders", "elect", says="--all")
    refused(2, "brokers", "list", "-o", "kafka", says="weir cheat kafka")
    refused(2, "metadata", "log", "dump", "--offset", "x..y", says="N..M")
    refused(2, "local", "up", "--dir", "/nonexistent/weir", "-n", "0", says="brokers")
    refused(2, "local", "up", "--dir", "/nonexistent/weir", "--base-port", "65500", says="--port-step")
    refused(2, "configs", "get", "orders", says="orders: write topics/orders")
    refused(2, "partitions", "describe", "orders", "0", says="write orders-0")
    refused(7, "local", "status", "--dir", "/nonexistent/weir", says="weir local up")
    refused(7, "log", "dump", "/nonexistent/0.log", says="no such file")
    refused(3, "topics", "list", "-b", "127.0.0.1:1", says="127.0.0.1:1 (refused)")
    refused(3, "topics", "list", "--controller", "127.0.0.1:1", says="127.0.0.1:1 (refused)")


@test
def help_knows_every_command():
    code, out, _ = weir("help")
    expect_eq(code, 0, "exit code of help")
    paths = re.findall(r"^  ([a-z]+(?: [a-z]+)*) {2,}\S", out, re.M)
    expect(len(paths) > 25, f"only {len(paths)} commands in help")
    for path in paths:
        code, out, err = weir(*path.split(), "-h")
        expect(code == 0 and out.startswith(f"weir {path}"), f"weir {path} -h: {out!r} {err!r}")
        expect(re.search(rf"^  \$ .*weir {path}\b", out.split("\n\n")[0], re.M), f"weir {path} -h shows no example: {out}")
    everything = weir("help", "--all")[1]
    missing = [p for p in paths if not re.search(rf"^weir {p}\b", everything, re.M)]
    expect(not missing, f"help --all lacks {missing}")
    expect("topics create" in weir("help", "t")[1], "the alias t")
    expect_eq(weir("metadata", "snapshot", "show", "-h")[0], 0, "a word that is another's alias elsewhere")


@test
def completion_offers_words_and_flags():
    offered = lambda *words: [line.split("\t")[0] for line in weir("__complete", "--", *words)[1].splitlines()]
    expect_eq(offered("top"), ["topics"], "nouns")
    expect("create" in offered("topics", ""), "verbs")
    expect_eq(offered("topics", "create", "--part"), ["--partitions"], "flags")
    expect("create" in offered("help", "topics", ""), "the paths that help takes")
    expect_eq(offered("topics", "list", "-o", "j"), ["json", "jsonl"], "formats")
    expect_eq(offered("completion", ""), ["bash", "zsh", "fish"], "shells")
    began = time.monotonic()
    expect_eq(offered("topics", "describe", "-b", "127.0.0.1:1", ""), [], "names of a cluster that is not there")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        expect_eq(offered("topics", "describe", "-b", "127.0.0.1:%d" % silent.getsockname()[1], ""), [], "a silent one's")
    expect(time.monotonic() - began < 3 * PATIENCE, "whoever types must not wait")


@test
def shells_accept_their_completion():
    for shell, check in (("bash", ["-n"]), ("zsh", ["-n"]), ("fish", ["-n"])):
        if not shutil.which(shell):
            continue
        script = weir("completion", shell)[1]
        run = subprocess.run([shell, *check], input=script, text=True, stderr=subprocess.PIPE, timeout=30)
        expect_eq((run.returncode, run.stderr), (0, ""), shell)
    script = weir("completion", "bash")[1] + "COMP_LINE='%s topics cre'; COMP_POINT=${#COMP_LINE}; _weir; " \
        'echo "${COMPREPLY[@]}"' % WEIR
    run = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, text=True, timeout=30)
    expect_eq(run.stdout, "create\n", "what bash completes")


@test
def manual_pages_are_clean():
    paths = re.findall(r"^## weir (.*)$", weir("reference")[1], re.M)
    expect(len(paths) > 30, f"only {len(paths)} commands in the reference")
    with tempfile.TemporaryDirectory() as d:
        for words in [[]] + [p.split() for p in paths]:
            code, page, err = weir("man", *words)
            expect(code == 0 and page.startswith(".Dd"), f"man {words}: {err}")
            with open(os.path.join(d, "-".join(["weir", *words]) + ".1"), "w") as f:
                f.write(page)
        if not shutil.which("mandoc"):
            return
        run = subprocess.run(["mandoc", "-T", "lint", *sorted(os.listdir(d))], cwd=d, stdout=subprocess.PIPE,
                             text=True, timeout=60)
        # Pages that are not installed cannot be found; that says nothing about ours.
        bad = [line for line in run.stdout.splitlines() if "not found: Xr" not in line]
        expect(not bad, "\n".join(bad))


@test
def the_reference_is_what_the_commands_say():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/docs/commands.md")
    with open(path) as f:
        expect(f.read() == weir("reference")[1], "deploy/docs/commands.md is old: weir reference > it")


@test
def pinned_answers_have_the_documented_shape():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../unit/cli/golden")
    checked = 0
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            for command, answer in re.findall(r"^\$ weir ([^\n]* -o json\b[^\n]*)\n(\{.*?)^exit", f.read(), re.M | re.S):
                documented(command.split(), answer)
                checked += 1
    expect(checked > 10, f"only {checked} answers were found")


@test
def json_is_json():
    expect_eq(json.loads(weir("version", "-o", "json")[1])["kind"], "Version", "version")


@test
def comparing_logs_misses_no_replica():
    with tempfile.TemporaryDirectory() as d:
        one, two = os.path.join(d, "1"), os.path.join(d, "2")
        for path in ("1/orders-0", "1/orders-1", "2/orders-0", "2/orders-2"):
            os.makedirs(os.path.join(d, path))
        code, out, err = weir("log", "compare", one, two, "--below", "0", "-o", "json")
        verdicts = {i["partition"]: (i["replicas"], i["verdict"]) for i in json.loads(out)["items"]}
        expect_eq(verdicts, {"orders-0": (2, "equal"), "orders-1": (1, "missing"), "orders-2": (1, "missing")},
                  "verdicts")
        expect_eq(code, 1, "exit code")
        expect(f"there is no {two}/orders-1" in err and f"there is no {one}/orders-2" in err, err)
        expect_eq(weir("log", "compare", one, two, "--below", "0", "--partition", "orders-0")[0], 0, "what both hold")
        refused(7, "log", "compare", one, "/nonexistent", "--below", "0", says="/nonexistent is no directory")
        refused(7, "log", "compare", one, two, "--partition", "orders-9", says="holds orders-9")
        refused(2, "log", "compare", one + "/orders-0/", two + "/orders-0", says="the log directory above it")


# ---- with one -----------------------------------------------------------------------------------

SHAPES = {}


def shape_of(words):
    """The documented shape of -o json of the command that the words begin with."""
    if not SHAPES:
        text = weir("reference")[1]
        for path, section in re.findall(r"^## weir ([^\n]*)\n(.*?)(?=^## weir |\Z)", text, re.M | re.S):
            found = re.search(r"^`-o json`: `(.*)`$", section, re.M)
            SHAPES[path] = found and found.group(1)
    return next((SHAPES[" ".join(words[:n])] for n in (3, 2, 1) if " ".join(words[:n]) in SHAPES), None)


def documented(words, text):
    """The answer as JSON, which must be as documented."""
    value = json.loads(text)
    try:
        shape.check(value, shape_of(words) or "none")
    except shape.Mismatch as e:
        raise Failed(f"{' '.join(words)} -o json: {e}")
    return value


LOOKS = (["cluster", "health"], ["cluster", "check"], ["cluster", "id"], ["cluster", "top", "--interval", "50ms"],
         ["cluster", "describe-errors"], ["partitions", "offsets", "orders"],
         ["partitions", "offsets", "orders-0", "--time", "1d"], ["leaders", "list", "--by", "topic"],
         ["leaders", "list", "--by", "rack"], ["isr", "describe", "orders-0"], ["configs", "list"],
         ["configs", "list", "brokers/1", "--all"], ["configs", "describe", "topics/orders", "retention.ms"],
         ["configs", "describe", "log.retention.ms"], ["events"], ["cluster", "info"], ["cluster", "features"], ["quorum", "status"],
         ["quorum", "describe"], ["quorum", "replication"], ["topics", "find", "orders"], ["cluster", "can-restart", "1"], ["brokers", "list"], ["brokers", "describe", "1"],
         ["brokers", "logdirs"], ["brokers", "api-versions", "1"], ["topics", "list"], ["topics", "describe"],
         ["partitions", "list"], ["partitions", "describe", "orders-0"], ["partitions", "epochs", "orders-0"],
         ["leaders", "list"], ["isr", "list"], ["isr", "history", "orders-0"], ["configs", "get", "topics/orders"],
         ["metadata", "ls", "/topics"], ["metadata", "cat", "/topics/orders"], ["metadata", "diff", "3"],
         ["metadata", "log", "dump"], ["metadata", "snapshot", "show"], ["doctor"])


def every_list_in_every_form(c):
    for cmd in LOOKS:
        documented(cmd, c.weir(*cmd, "-o", "json", check=False).stdout)
        for line in c.weir(*cmd, "-o", "jsonl", check=False).stdout.splitlines():
            json.loads(line)
        for form in ("table", "wide", "csv", "name"):
            said = c.weir(*cmd, "-o", form, check=False).stdout
            expect(said or (cmd[1:2] == ["find"] and form == "name"), f"{cmd} -o {form} prints nothing")


@test
def a_cluster_told_in_tables_and_json():
    with Cluster() as c:
        golden(c.weir("topics", "create", "orders", "--replicas", "1,2,3", "--replicas", "2,3,1", "-c",
                      "min.insync.replicas=2").stdout, "orders created 2 partitions RF 3")
        golden(c.weir("topics", "list").stdout, """
            TOPIC   PARTITIONS  RF  MIN ISR  OUT-OF-SYNC  OFFLINE  CONFIGS
            orders           2   3        2            0        0        1""")
        golden(c.weir("topics", "describe", "orders").stdout, """
            orders id ID 2 partitions RF 3 min.insync.replicas 2
            P LEADER EPOCH REPLICAS ISR   OUT-OF-SYNC START HW LEO UNCOMMITTED
            0 1*         0 1,2,3    1,2,3 -               0  0   0           0
            1 2*         0 2,3,1    2,3,1 -               0  0   0           0
            * leader is the preferred replica""")
        golden(c.weir("topics", "describe", "orders", "-o", "kafka").stdout, """
            Topic: orders TopicId: ID PartitionCount: 2 ReplicationFactor: 3 Configs: min.insync.replicas=2
            Topic: orders Partition: 0 Leader: 1 Replicas: 1,2,3 Isr: 1,2,3 Elr: LastKnownElr:
            Topic: orders Partition: 1 Leader: 2 Replicas: 2,3,1 Isr: 2,3,1 Elr: LastKnownElr:""")
        golden(c.weir("partitions", "list", "orders").stdout, """
            TOPIC   P  LEADER  EPOCH  REPLICAS  ISR    OUT-OF-SYNC
            orders  0       1      0  1,2,3     1,2,3  -
            orders  1       2      0  2,3,1     2,3,1  -""")
        health = c.weir("cluster", "health").stdout
        expect(health.startswith("HEALTHY") and "brokers 3 of 3 up" in " ".join(health.split()), health)
        every_list_in_every_form(c)
        expect_eq(c.weir("isr", "list", "--shrunk", "-o", "name").stdout, "", "nobody is out of sync")


@test
def columns_order_and_watching():
    with Cluster(brokers=1) as c:
        c.weir("topics", "create", "a", "-p", "2", "-r", "1")
        c.weir("topics", "create", "b", "-p", "11", "-r", "1")
        golden(c.weir("topics", "list", "--columns", "partitions,TOPIC", "--sort-by", "-partitions").stdout,
               "PARTITIONS TOPIC\n11 b\n2 a")
        expect_eq(c.weir("topics", "list", "--columns", "rf,topic", "-o", "csv").stdout,
                  'replication_factor,topic\n1,"a"\n1,"b"\n', "csv")
        refused(2, "topics", "list", "-b", c.bootstrap, "--columns", "lag", says="there are topic, partitions")
        refused(2, "topics", "create", "x", "-b", c.bootstrap, "-w", says="nothing that could be watched")
        watch = subprocess.Popen([WEIR, "topics", "list", "-o", "jsonl", "-w=100ms", "-b", c.bootstrap],
                                 stdout=subprocess.PIPE, text=True)
        try:
            first = [json.loads(watch.stdout.readline())["topic"] for _ in range(2)]
            expect_eq(first, ["a", "b"], "the first answer")
            c.weir("topics", "alter", "a", "-p", "3")
            changed = json.loads(watch.stdout.readline())
            expect_eq((changed["topic"], changed["partitions"]), ("a", 3), "the line that changed")
        finally:
            watch.terminate()
            watch.wait(10)


@test
def changes_print_old_and_new():
    with Cluster() as c:
        c.weir("topics", "create", "t", "-p", "1")
        expect_eq(c.weir("topics", "create", "t", check=False).returncode, 1, "creating it twice")
        expect_eq(c.weir("topics", "create", "t", "--if-not-exists").returncode, 0, "--if-not-exists")
        expect_eq(c.weir("topics", "create", "t", "u", check=False).returncode, 4, "one of two failed")
        c.weir("topics", "create", "v", "--dry-run")
        expect_eq(c.weir("topics", "list", "-o", "name").stdout.split(), ["t", "u"], "topics")
        golden(c.weir("configs", "set", "topics/t", "retention.ms=1000").stdout,
               "topics/t retention.ms (default) -> 1000")
        golden(c.weir("configs", "set", "topics/t", "retention.ms=2000").stdout, "topics/t retention.ms 1000 -> 2000")
        items = c.json("configs", "get", "topics/t", "retention.ms")["items"]
        expect_eq([i["value"] for i in items], ["2000"], "retention.ms")
        expect_eq(c.weir("configs", "set", "topics/t", "retention.ms=soon", check=False).returncode, 1, "a bad value")
        expect_eq(c.weir("configs", "get", "topics/t", "no.such", check=False).returncode, 7, "an unknown key")
        dump = c.weir("metadata", "log", "dump").stdout
        expect("resource_type=topic" in dump or "resource_type topic" in dump, dump)
        golden(c.weir("configs", "unset", "topics/t", "retention.ms").stdout,
               "topics/t retention.ms 2000 -> (default)")
        golden(c.weir("topics", "alter", "t", "-p", "3").stdout, "t partitions 1 -> 3")
        expect_eq(len(c.json("partitions", "list", "t")["items"]), 3, "partitions")
        expect_eq(c.weir("topics", "alter", "t", "-p", "2", check=False).returncode, 1, "fewer partitions")
        got = c.weir("configs", "get", "brokers/9", check=False)
        expect(got.returncode == 7 and "no broker 9" in got.stderr, got.stderr)
        refused(7, "topics", "delete", "nope", "-b", c.bootstrap, says="no topic nope")
        refused(6, "topics", "delete", "t", "-b", c.bootstrap, says="--yes")
        got = c.weir("topics", "describe", "t", "nope", check=False)
        expect(got.returncode == 4 and got.stdout.startswith("t ") and "no topic nope" in got.stderr, got.stderr)
        c.weir("topics", "delete", "t", "--yes")
        got = c.weir("topics", "describe", "t", check=False)
        expect(got.returncode == 7 and "UNKNOWN_TOPIC_OR_PARTITION" in got.stderr, got.stderr)


@test
def changes_are_told_in_json_too():
    with Cluster() as c:
        items = lambda *cmd, check=True: c.json(*cmd, check=check)["items"]
        expect_eq(items("topics", "create", "t", "-p", "1"),
                  [{"topic": "t", "result": "created", "partitions": 1, "replication_factor": 3, "error": None}], "create")
        made = items("topics", "create", "t", "u", check=False)
        expect_eq([(i["result"], i["error"]) for i in made],
                  [("failed", "TOPIC_ALREADY_EXISTS"), ("created", None)], "one of two failed")
        expect_eq(items("configs", "set", "topics/t", "retention.ms=1000"),
                  [{"resource": "topics/t", "key": "retention.ms", "old": None, "new": "1000", "dry_run": False}], "set")
        expect_eq(items("topics", "alter", "t", "-p", "2")[0]["result"], "altered", "alter")
        elected = items("leaders", "elect", "t-0")[0]
        expect_eq((elected["result"], elected["leader"]), ("stays", elected["old_leader"]), "elect")
        expect_eq(items("local", "env"), [{"variable": "WEIR_BOOTSTRAP", "value": c.bootstrap}], "env")
        killed = items("local", "kill", "3")[0]
        expect_eq((killed["id"], killed["done"], killed["pid"]), (3, "killed", c.nodes[3]["pid"]), "kill")
        expect_eq([i["state"] for i in items("local", "up")], ["running"] * 4, "up")
        expect_eq(items("topics", "delete", "t", "--yes")[0]["result"], "deleted", "delete")
        expect_eq(c.weir("topics", "delete", "u", "--yes", "-o", "name").stdout, "u\n", "names")


@test
def a_killed_leader_is_seen_and_comes_back():
    with Cluster() as c:
        c.weir("topics", "create", "t", "--replicas", "2,3,1")
        subprocess.run(["kcat", "-P", "-b", c.bootstrap, "-t", "t", "-p", "0", "-X", "acks=all"],
                       input="a\nb\nc\n", text=True, check=True, timeout=60)
        golden(c.weir("local", "kill", "leader-of", "t-0").stdout.replace(str(c.nodes[2]["pid"]), "PID"),
               "killed broker 2 pid PID")
        status = c.weir("local", "status", "-o", "json", check=False)
        expect_eq(status.returncode, 1, "exit code of status with a dead node")
        expect_eq([i["state"] for i in json.loads(status.stdout)["items"]], ["running", "running", "down", "running"],
                  "states")
        c.wait_leader("t", other_than=2)
        got = c.weir("cluster", "health", check=False)
        expect(got.returncode == 1 and got.stdout.startswith("DEGRADED") and "fenced: 2 (silent for" in got.stdout, got.stdout)
        expect_eq(c.weir("local", "kill", "2", check=False).returncode, 1, "killing the dead")
        c.restart(2)
        c.wait_isr("t", [1, 2, 3])
        out = c.weir("leaders", "elect", "t-0").stdout
        expect(re.match(r"t-0   leader [13] -> 2   epoch \d+ -> \d+   took", out), out)
        golden(c.weir("leaders", "elect", "t-0").stdout, "t-0 leader stays 2")
        expect_eq(c.weir("cluster", "health", "--wait", "10").returncode, 0, "health afterwards")
        rows = json.loads(c.weir("local", "status", "-o", "json").stdout)["items"]
        expect_eq([r["state"] for r in rows], ["running"] * 4, "states")
        verify = subprocess.run([WEIR, "partitions", "verify", "t", "--dir", c.dir, "-b", c.bootstrap, "-o", "json"],
                                stdout=subprocess.PIPE, text=True, timeout=60)
        item = json.loads(verify.stdout)["items"][0]
        expect_eq((verify.returncode, item["verdict"], item["to"], item["replicas"]), (0, "equal", 3, 3), "verify")
        replica = c.log_dir(3, "t")
        os.rename(replica, replica + ".away")
        verify = c.weir("partitions", "verify", "t", "-o", "json", "--dir", c.dir, check=False)
        item = json.loads(verify.stdout)["items"][0]
        expect_eq((verify.returncode, item["verdict"], item["replicas"]), (1, "missing", 2), "a replica is gone")
        os.rename(replica + ".away", replica)
        segment = os.path.join(c.log_dir(2, "t"), "0" * 20 + ".log")
        records = [json.loads(line) for line in c.weir("log", "dump", segment, "--records", "-o", "jsonl")
                   .stdout.splitlines()]
        expect_eq([r["value"] for r in records], ["a", "b", "c"], "records in the file")
        damaged = os.path.join(c.dir, "damaged.log")
        with open(segment, "rb") as f:
            data = bytearray(f.read())
        data[70] ^= 0xff
        with open(damaged, "wb") as f:
            f.write(data)
        expect_eq(c.weir("log", "dump", damaged, "--verify", check=False).returncode, 1, "a damaged segment")


@test
def pause_and_resume_a_node():
    with Cluster() as c:
        c.weir("local", "pause", "3")
        rows = json.loads(c.weir("local", "status", "-o", "json", check=False).stdout)["items"]
        expect_eq([r["state"] for r in rows if r["id"] == 3], ["paused"], "state")
        # The paused one stands first in the list and does not answer; the next one does.
        brokers = ",".join(c.nodes[i]["address"] for i in (3, 1))
        expect_eq(subprocess.run([WEIR, "brokers", "list", "-b", brokers], stdout=subprocess.DEVNULL,
                                 timeout=60).returncode, 0, "listing through a paused broker")
        c.weir("local", "resume", "3")
        expect_eq(c.weir("local", "status").returncode, 0, "all run")
        c.weir("local", "pause", "101")
        refused(3, "topics", "create", "t", "-b", c.nodes[1]["address"], "--timeout", "1",
                says=f"broker {c.nodes[1]['address']} answers, the controller does not")
        c.weir("local", "resume", "101")


@test
def without_a_controller_brokers_tell_what_they_know():
    with Cluster() as c:
        c.weir("topics", "create", "t", "-p", "2", "-c", "min.insync.replicas=2", "-c", "retention.ms=1000")
        want = c.json("topics", "describe", "t")
        c.weir("local", "kill", "101")
        wait_for(lambda: "no controller answers" in c.weir("topics", "list").stderr, 5, "brokers to notice")
        began = time.monotonic()
        for cmd in (["topics", "describe", "t"], ["brokers", "list"], ["isr", "list"]):
            got = c.weir(*cmd, "-o", "json")
            expect("no controller answers; this is what broker" in got.stderr, got.stderr)
            documented(cmd, got.stdout)
        for cmd in (["quorum"], ["metadata", "log", "dump"], ["events"]):
            got = c.weir(*cmd, check=False)
            expect(got.returncode == 3 and "reaches no controller" in got.stderr, got.stderr)
        # Six answers: waiting for the controller once, as a change does, would take longer.
        expect(time.monotonic() - began < 2 * PATIENCE, "whoever only looks waits for a controller")
        got = c.json("topics", "describe", "t", "--timeout", "1")
        expect_eq(got["items"][0], want["items"][0], "the topic")
        health = c.weir("cluster", "health", "--timeout", "1", check=False)
        expect(health.returncode == 1 and "no controller answers" in health.stdout, health.stdout)
        c.weir("local", "restart", "101")


@test
def without_a_majority_of_controllers_it_says_who_is_missing():
    with Cluster(controllers=3) as c:
        leader = int(c.json("quorum", "status")["leader"])
        left = next(n for n in (101, 102, 103) if n != leader)
        dead = [n for n in (101, 102, 103) if n != left]
        for n in dead:
            c.weir("local", "kill", str(n))
        says = f"controller {left} sees 1 of 3 voters, a majority is needed; not there: {dead[0]} {dead[1]}"
        # Elected between the two kills it may take one that it cannot carry out, and others do so later.
        wait_for(lambda: says in c.weir("topics", "create", "perhaps", "--timeout", "1", check=False).stderr, 20,
                 "it to be said")
        began = time.monotonic()
        got = c.weir("topics", "create", "t", "--timeout", "4", check=False)
        expect(got.returncode == 3 and says in got.stderr and "weir local up" in got.stderr, got.stderr)
        expect(3.9 < time.monotonic() - began < 8 * PATIENCE, f"4 s were {time.monotonic() - began:.1f}")
        health = c.weir("cluster", "health", check=False)
        expect(health.returncode == 1 and f"controllers  no controller is active: {says}" in health.stdout, health.stdout)
        c.weir("local", "up")
        c.weir("topics", "create", "t")


@test
def saved_metadata_answers_like_the_cluster():
    with Cluster() as c:
        c.weir("topics", "create", "orders", "-p", "2")
        path = os.path.join(c.dir, "saved.weir")
        documented(["metadata", "snapshot", "save"], c.weir("metadata", "snapshot", "save", path, "-o", "json").stdout)
        live, end = {}, c.json("metadata", "log", "dump")["items"][-1]["offset"]
        for cmd in (["partitions", "list"], ["isr", "history", "orders-1"], ["metadata", "log", "dump"],
                    ["metadata", "cat", "/topics", "--at", str(end)]):
            live[" ".join(cmd)] = c.weir(*cmd, "-o", "json").stdout
            expect_eq(weir(*cmd, "-o", "json", "--saved", path), (0, live[" ".join(cmd)], ""), "saved and live")
        refused(2, "topics", "delete", "orders", "--yes", "--saved", path, says="only a cluster can do that")
        refused(7, "topics", "list", "--saved", path + "x", says="no such file")
        refused(1, "topics", "list", "--saved", "/dev/zero", says="over a limit")
        refused(6, "metadata", "snapshot", "save", path, "--saved", path, says="exists already")
        refused(6, "debug", "bundle", c.dir, "--saved", path, says="is not empty")
        strange = os.path.join(c.dir, 'tab\t"quote".weir')
        got = weir("metadata", "snapshot", "save", strange, "--saved", path, "-o", "json")
        expect_eq(json.loads(got[1])["file"], strange, "the file")
        c.weir("topics", "alter", "orders", "-p", "3")
        got = c.weir("metadata", "diff", path, check=False)
        expect(got.returncode == 1 and "/topics/orders/2" in got.stdout, got.stdout)
        expect_eq(c.weir("metadata", "diff", "now", "now").stdout, "no difference\n", "the same twice")


@test
def the_story_of_a_partition():
    with Cluster() as c:
        c.weir("topics", "create", "t", "--replicas", "2,3,1")
        watch = subprocess.Popen([WEIR, "isr", "watch", "--count", "2", "-o", "jsonl", "-b", c.nodes[1]["address"]],
                                 stdout=subprocess.PIPE, text=True)
        produce = lambda n: subprocess.run(["kcat", "-P", "-b", c.bootstrap, "-t", "t", "-p", "0", "-X", "acks=all"],
                                           input="x\n" * n, text=True, check=True, timeout=60)
        produce(10)
        # It asks broker 1 and one that dies: the next of the list goes on.
        through = subprocess.Popen([WEIR, "isr", "watch", "--count", "2", "-o", "jsonl", "-b",
                                    ",".join(c.nodes[i]["address"] for i in (2, 1))], stdout=subprocess.PIPE, text=True)
        connected(through.pid, c.nodes[2]["port"])
        c.weir("local", "kill", "2")
        c.wait_leader("t", other_than=2)
        got = c.weir("cluster", "can-restart", "1", check=False)
        expect(got.returncode == 6 and "t-0" in got.stdout and re.search(r"next: .*(restart|broker) 2", got.stdout), got.stdout)
        found = c.weir("topics", "find", "--at-min-isr", "-o", "name").stdout
        expect_eq(found, "t-0\n", "what is one failure away")
        produce(5)
        c.restart(2)
        c.wait_isr("t", [1, 2, 3])
        expect_eq(c.weir("cluster", "can-restart", "1").returncode, 0, "when all are back")
        changes = [json.loads(line) for line in watch.stdout]
        watch.wait(10)
        expect_eq((through.wait(10), len(through.stdout.readlines())), (0, 2), "watching through a broker that died")
        expect_eq((changes[0]["from"], changes[0]["to"], changes[0]["old_leader"]), ([2, 3, 1], [3, 1], 2), "the kill")
        expect_eq(sorted(changes[1]["to"]), [1, 2, 3], "the return")
        c.weir("leaders", "elect", "t-0")
        epochs = c.json("partitions", "epochs", "t-0")["items"]
        expect_eq([(e["leader_epoch"], e["leader"], e["start_offset"]) for e in epochs], [(0, 2, 0), (1, 3, 10), (2, 2, 15)],
                  "epochs")
        expect_eq([e["reason"].split(":")[0] for e in epochs], ["created", "broker 2", "preferred election"], "reasons")
        history = c.json("isr", "history", "t-0")["items"]
        expect_eq([(h["joined"], h["left"]) for h in history], [([], []), ([], [2]), ([2], [])], "ISR")
        expect("caught up at offset 15" in history[-1]["reason"], history[-1]["reason"])
        causes = [e["cause"] or "" for e in c.json("events", "t", "--type", "isr,leader")["items"]]
        expect(any("caught up at offset 15" in cause for cause in causes), f"{causes}")


@test
def the_metadata_log_is_followed():
    with Cluster(brokers=1) as c:
        follow = subprocess.Popen([WEIR, "metadata", "log", "dump", "-f", "-o", "json", "-b", c.bootstrap],
                                  stdout=subprocess.PIPE, text=True)
        try:
            c.weir("topics", "create", "late", "-p", "1", "-r", "1")
            seen = wait_for(lambda: (r := json.loads(follow.stdout.readline()))["type"] == "topic" and r, 10, "the topic")
            expect_eq(seen["record"]["name"], "late", "its record")
        finally:
            follow.terminate()
            follow.wait(10)


@test
def restarting_one_node_does_not_mind_the_others():
    with Cluster() as c:
        c.weir("local", "kill", "1")
        c.weir("local", "kill", "2")
        with open(os.path.join(c.nodes[2]["dir"], "broker.properties"), "a") as f:
            f.write("min.insync.replicas=none\n")
        got = c.weir("local", "restart", "2", check=False)
        expect_eq(got.returncode, 1, "exit code")
        expect("broker 2 ended" in got.stderr and "min.insync.replicas" in got.stderr, got.stderr)
        c.weir("local", "restart", "1")


@test
def up_again_starts_what_is_down_and_pids_are_checked():
    with Cluster(brokers=1) as c:
        pid = c.nodes[1]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: c.weir("local", "status", check=False).returncode == 1, 5, "status to see it")
        # The pid now belongs to somebody else: the start time does not match, no signal is sent.
        other = subprocess.Popen(["sleep", "60"])
        try:
            pid_file = os.path.join(c.nodes[1]["dir"], "pid")
            with open(pid_file) as f:
                started = f.read().split()[1]
            with open(pid_file, "w") as f:
                f.write(f"{other.pid} {started}\n")
            expect_eq(c.weir("local", "kill", "1", check=False).returncode, 1, "killing a stranger")
            expect(other.poll() is None, "a process that is not ours was killed")
        finally:
            other.kill()
            other.wait()
        c.weir("local", "up")
        expect_eq(c.weir("local", "status").returncode, 0, "all run")
        c.refresh()
        expect_eq(c.weir("cluster", "health", "--wait", "10").returncode, 0, "health")
        purge = c.weir("local", "purge", check=False)
        expect_eq(purge.returncode, 6, "purge without --yes")


@test
def up_starts_again_what_was_ending():
    with Cluster(controllers=3) as c:
        for node, how in ((1, signal.SIGTERM), (2, signal.SIGKILL), (101, signal.SIGTERM), (1, signal.SIGTERM),
                          (102, signal.SIGKILL)):
            was = c.nodes[node]["pid"]
            os.kill(was, how)
            c.weir("local", "up")
            c.refresh()
            expect(c.nodes[node]["pid"] not in (None, was), f"{node} after signal {how}: {c.nodes[node]}")
            states = {n: i["state"] for n, i in c.nodes.items() if i["state"] != "running"}
            expect_eq(states, {}, f"nodes that do not run after signal {how} to {node}")
        c.weir("local", "pause", "3")
        c.weir("local", "up", "--timeout", "5")    # a paused node is somebody's wish
        c.weir("local", "resume", "3")


@test
def a_start_that_fails_says_why():
    with tempfile.TemporaryDirectory() as d:
        code, _, err = weir("local", "up", "--dir", d, "-n", "1", "--base-port", "20991", "-c", "min.insync.replicas=none")
        expect_eq(code, 1, "exit code")
        expect("broker 1 ended" in err and "min.insync.replicas" in err, err)
        # What failed is no cluster: the next try is free to be another one.
        code, _, err = weir("local", "up", "--dir", d, "-n", "1", "--base-port", "20993", "-c", "bogus.x=1")
        expect_eq(code, 0, f"the next try ({err})")
        expect("broker 1 ignores an option" in err and "bogus.x: no such option" in err, err)
        expect_eq(weir("local", "down", "--dir", d)[0], 0, "down")
        refused(1, "local", "restart", "1", "--dir", d, says="start all: weir local up --dir")
        with socket.create_server(("127.0.0.1", 20993)):
            refused(1, "local", "up", "--dir", d, says="127.0.0.1:20993, for broker 1: the address is in use")
            refused(1, "local", "up", "--dir", d + "/new", "--base-port", "20993", says="choose --base-port")
        expect(not os.path.exists(d + "/new"), "what could not start left files")
        expect_eq(weir("local", "purge", "--dir", d, "--yes")[0], 0, "purge")


@test
def what_to_do_next_can_be_typed():
    with tempfile.TemporaryDirectory() as d:
        run = lambda *args: weir(*args, env={"XDG_STATE_HOME": d})
        code, out, err = run("local", "up", "-n", "2", "--base-port", "20995", "--port-step", "20")
        try:
            expect_eq(code, 0, f"up ({err})")
            expect(f"{WEIR} topics create" in out and f"{WEIR} local kill 2" in out, out)
            run("local", "kill", "2")
            out = wait_for(lambda: (h := run("cluster", "health"))[0] == 1 and h[1], 10, "health to see the kill")
            expect(f"next: {WEIR} local restart 2" in out, out)
        finally:
            run("local", "purge", "--yes")
        code, out, err = run("local", "up", "-n", "1", "--base-port", "20995")
        run("local", "purge", "--yes")
        expect(code == 0 and f"{WEIR} local kill 1" in out, out + err)


if __name__ == "__main__":
    main()
