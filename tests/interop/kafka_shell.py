#!/usr/bin/python3
"""kafka_shell.py - weir called as kafka-topics.sh and its kin prints what Kafka's own tools print, byte for
byte: each command is run by both against the same cluster. Needs Java and Kafka's jars, as kafka_tools.py."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib.cluster import WEIR, Cluster, expect, expect_eq, main, test, wait_for

JARS = os.environ.get("KAFKA_JARS") or os.path.abspath("build/kafka/jars")
CLASSES = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
}


def kafka(tool, *args):
    """(exit code, stdout); what log4j writes to stdout is no output of the tool."""
    run = subprocess.run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", JARS + "/*", CLASSES[tool], *args],
                         timeout=120, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines, in_log = [], False
    for line in run.stdout.splitlines(keepends=True):
        if re.match(r"^\d\d:\d\d:\d\d\.\d+ \[", line):
            in_log = True
        if not in_log:
            lines.append(line)
    return run.returncode, "".join(lines)


def ours(c, tool, *args):
    path = os.path.join(c.dir, "bin", tool + ".sh")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        os.symlink(WEIR, path)
    run = subprocess.run([path, *args], timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return run.returncode, run.stdout


def normal(text):
    return re.sub(r"\d{13}", "TIME", text)


def same(c, tool, *args):
    """A command that changes nothing, run by both at the same time."""
    args = ["--bootstrap-server", c.bootstrap.split(",")[-1], *args]
    with ThreadPoolExecutor(2) as pool:
        theirs, mine = pool.submit(kafka, tool, *args), pool.submit(ours, c, tool, *args)
    expect_eq(mine.result(), theirs.result(), f"{tool} {' '.join(args)}")
    return mine.result()


def change(c, tool, *args, code=0, says=None):
    """A command of ours that changes something."""
    got, out = ours(c, tool, "--bootstrap-server", c.bootstrap, *args)
    expect_eq(got, code, f"exit code of {tool} {' '.join(args)} ({out})")
    if says is not None:
        expect_eq(out, says, f"{tool} {' '.join(args)}")


@test
def topics_as_kafka_prints_them():
    with Cluster() as c:
        change(c, "kafka-topics", "--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "3",
               "--config", "min.insync.replicas=2", "--config", "retention.ms=100000", says="Created topic orders.\n")
        change(c, "kafka-topics", "--create", "--topic", "my_topic", "--replica-assignment", "1:2:3,2:3:1")
        change(c, "kafka-topics", "--create", "--topic", "orders", "--if-not-exists", says="")
        same(c, "kafka-topics", "--list")
        same(c, "kafka-topics", "--list", "--topic", "or.*")
        c.weir("topics", "create", "__consumer_offsets", "-p", "1")
        same(c, "kafka-topics", "--list", "--exclude-internal")
        same(c, "kafka-topics", "--describe", "--exclude-internal", "--partition-size-limit-per-response", "2")
        c.weir("topics", "delete", "__consumer_offsets", "--yes")
        same(c, "kafka-topics", "--describe")
        same(c, "kafka-topics", "--describe", "--topic", "orders")
        same(c, "kafka-topics", "--describe", "--topics-with-overrides")
        same(c, "kafka-topics", "--describe", "--topic", "nope", "--if-exists")
        expect_eq(same(c, "kafka-topics", "--describe", "--topic", "nope")[0], 1, "a missing topic")
        expect_eq(same(c, "kafka-topics", "--create", "--topic", "orders")[0], 1, "a topic twice")
        expect_eq(same(c, "kafka-topics", "--alter", "--topic", "orders", "--partitions", "2")[0], 1, "fewer partitions")
        c.weir("local", "kill", "1")
        c.wait_isr("orders", [2, 3])
        for only in ("under-replicated", "at-min-isr", "under-min-isr", "unavailable"):
            same(c, "kafka-topics", "--describe", f"--{only}-partitions")
        same(c, "kafka-topics", "--describe")
        c.restart(1)
        change(c, "kafka-topics", "--alter", "--topic", "orders", "--partitions", "5", says="")
        expect_eq(len(c.json("partitions", "list", "orders")["items"]), 5, "partitions")
        change(c, "kafka-topics", "--delete", "--topic", "my.*", says="")
        expect_eq(same(c, "kafka-topics", "--list")[1], "orders\n", "what is left")


@test
def configs_as_kafka_prints_them():
    with Cluster() as c:
        c.weir("topics", "create", "t", "-p", "2")
        c.weir("topics", "create", "u", "-p", "1")
        change(c, "kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config",
               "retention.ms=5000,cleanup.policy=[delete,compact]", says="Completed updating config for topic t.\n")
        same(c, "kafka-configs", "--describe", "--topic", "t")
        same(c, "kafka-configs", "--describe", "--entity-type", "topics")
        same(c, "kafka-configs", "--describe", "--topic", "t", "--all")
        same(c, "kafka-configs", "--describe", "--topic", "nope")
        change(c, "kafka-configs", "--alter", "--topic", "t", "--delete-config", "retention.ms,cleanup.policy")
        same(c, "kafka-configs", "--describe", "--topic", "t")
        change(c, "kafka-configs", "--alter", "--broker", "1", "--add-config", "message.max.bytes=2000000",
               says="Completed updating config for broker 1.\n")
        change(c, "kafka-configs", "--alter", "--broker-defaults", "--add-config", "message.max.bytes=1000000",
               says="Completed updating default config for brokers in the cluster.\n")
        same(c, "kafka-configs", "--describe", "--broker", "1")
        same(c, "kafka-configs", "--describe", "--broker", "1", "--all")
        same(c, "kafka-configs", "--describe", "--entity-type", "brokers")
        same(c, "kafka-configs", "--describe", "--broker-defaults")
        same(c, "kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name", "9")
        same(c, "kafka-configs", "--describe")
        change(c, "kafka-configs", "--alter", "--topic", "t", "--add-config", "retention.ms=x", code=1, says="")


@test
def elections_as_kafka_prints_them():
    with Cluster() as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3", "--replicas", "2,3,1")
        same(c, "kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions")
        same(c, "kafka-leader-election", "--election-type", "preferred", "--topic", "t", "--partition", "1")
        same(c, "kafka-leader-election", "--election-type", "unclean", "--topic", "t", "--partition", "0")
        same(c, "kafka-leader-election", "--election-type", "preferred", "--topic", "nope", "--partition", "0")
        same(c, "kafka-leader-election", "--topic", "t", "--partition", "0")
        c.weir("local", "kill", "1")
        c.wait_leader("t", other_than=1)
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        path = os.path.join(c.dir, "elect.json")
        with open(path, "w") as f:
            json.dump({"partitions": [{"topic": "t", "partition": 0}, {"topic": "t", "partition": 1}]}, f)
        change(c, "kafka-leader-election", "--election-type", "preferred", "--path-to-json-file", path,
               says="Successfully completed leader election (PREFERRED) for partitions t-0\n"
                    "Valid replica already elected for partitions t-1\n")


@test
def reassignments_as_kafka_prints_them():
    with Cluster(brokers=4) as c:
        c.weir("topics", "create", "t", "--replicas", "1,2,3", "--replicas", "2,3,1")
        path = os.path.join(c.dir, "plan.json")
        with open(path, "w") as f:
            json.dump({"version": 1, "partitions": [{"topic": "t", "partition": p, "replicas": [4, 1, 2]}
                                                    for p in (0, 1)]}, f)
        tool, plan = "kafka-reassign-partitions", ["--reassignment-json-file", path]
        same(c, tool, "--list")
        same(c, tool, "--verify", *plan)
        same(c, tool, "--cancel", *plan)
        c.weir("local", "kill", "4")
        c.wait_isr("t", [1, 2, 3])
        got, out = ours(c, tool, "--bootstrap-server", c.bootstrap.split(",")[0], "--execute", *plan)
        expect(got == 0 and out.startswith('Current partition replica assignment\n\n{"version":1,"partitions":[{"topic":"t"'
                                           ',"partition":0,"replicas":[1,2,3],"log_dirs":["/'), out)
        expect(out.endswith("Save this to use as the --reassignment-json-file option during rollback\n"
                            "Successfully started partition reassignments for t-0,t-1\n"), out)
        c.bootstrap = ",".join(c.nodes[i]["address"] for i in (1, 2, 3))
        same(c, tool, "--list")
        same(c, tool, "--verify", *plan)
        same(c, "kafka-topics", "--describe", "--topic", "t")
        change(c, tool, "--cancel", *plan, "--preserve-throttles")
        same(c, tool, "--list")
        c.restart(4)
        change(c, tool, "--execute", *plan, "--throttle", "50000000")
        expect("throttled" in c.weir("configs", "get", "topics/t").stdout, "the throttle is set")
        c.wait_isr("t", [1, 2, 4])
        c.wait_isr("t", [1, 2, 4], number=1)
        same(c, tool, "--verify", *plan, "--preserve-throttles")
        change(c, tool, "--verify", *plan)
        expect("throttled" not in c.weir("configs", "get", "topics/t").stdout, "the throttle is gone")
        same(c, tool, "--execute", *plan)


@test
def the_quorum_as_kafka_prints_it():
    with Cluster(controllers=3) as c:
        tool = "kafka-metadata-quorum"
        c.weir("topics", "create", "t", "-p", "1")
        wait_for(lambda: all(m["lag"] == 0 for m in c.json("quorum", "describe")["items"]), 10, "all caught up")
        server = ["--bootstrap-server", c.nodes[1]["address"]]
        settled = lambda text: re.sub(r"(MaxFollowerLagTimeMs: +)-?\d+", r"\1N", re.sub(r"\d{13}", "TIME", text))
        for args in (["--status"], ["--replication"]):
            code, text = kafka(tool, *server, "describe", *args)
            mine = ours(c, tool, *server, "describe", *args)
            expect_eq((mine[0], settled(mine[1])), (code, settled(text)), f"{tool} {args}")
        for args in (["--status", "--replication"], []):
            expect_eq(ours(c, tool, *server, "describe", *args), kafka(tool, *server, "describe", *args), f"{args}")
        ago = ours(c, tool, *server, "describe", "--replication", "--human-readable")[1]
        expect(" ms ago" in ago, ago)


@test
def voters_come_and_go_as_kafka_prints_it():
    with Cluster(controllers=3) as c:
        tool, server = "kafka-metadata-quorum", ["--bootstrap-server", c.nodes[1]["address"]]
        members = c.json("quorum", "describe")["items"]
        one = next(m for m in members if m["role"] == "voter")
        conf = os.path.join(c.dir, "controller.properties")
        with open(conf, "w") as f:
            f.write(f"node.id={one['id']}\nprocess.roles=controller\ncontroller.listener.names=CONTROLLER\n"
                    f"listeners=CONTROLLER://{one['address']}\ncontroller.quorum.bootstrap.servers={one['address']}\n"
                    f"metadata.log.dir={c.nodes[one['id']]['dir']}/data/weir-controller\n")
        add = ["--command-config", conf, "add-controller"]
        remove = ["remove-controller", "--controller-id", str(one["id"]), "--controller-directory-id", one["directory_id"]]
        both = lambda *args: (ours(c, tool, *server, *args), kafka(tool, *server, *args))
        for args in (add + ["--dry-run"], remove + ["--dry-run"], add, remove[:2] + ["x"] + remove[3:],
                     remove[:4] + ["x"]):
            mine, theirs = both(*args)
            expect_eq(mine, theirs, f"{tool} {args}")
        gone = [f"KRaft controller {one['id']} with directory id {one['directory_id']}"]
        code, text = ours(c, tool, *server, *remove)
        expect_eq((code, text), (0, f"Removed  {gone[0]}\n"), "our removal")
        wait_for(lambda: c.json("quorum", "status")["voters"] == 2, 10, "two voters")
        code, text = kafka(tool, *server, *add)
        expect_eq(code, 0, f"Kafka's addition: {text}")
        added = text
        wait_for(lambda: c.json("quorum", "status")["voters"] == 3, 10, "three voters")
        code, text = kafka(tool, *server, *remove)
        expect_eq((code, text), (0, f"Removed  {gone[0]}\n"), "Kafka's removal")
        wait_for(lambda: c.json("quorum", "status")["voters"] == 2, 10, "two voters")
        expect_eq(ours(c, tool, *server, *add), (0, added), "our addition")


if __name__ == "__main__":
    if not shutil.which("java") or not glob.glob(JARS + "/kafka_2.13-*.jar"):
        print("SKIP kafka_shell: no java, or no Kafka jars (set KAFKA_JARS)")
        sys.exit(0)
    main()
