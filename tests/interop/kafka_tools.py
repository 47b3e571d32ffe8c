#!/usr/bin/python3
"""kafka_tools.py - Kafka's own command-line tools against a Weir cluster, and its dump tool over
every file that Weir wrote.  Needs Java and Kafka's jars ($KAFKA_JARS, or `make perf-versus` once,
which fetches them from Maven Central); skips with the reason where they are not there."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib.clients import producer, send_ok, values
from lib.cluster import Cluster, expect, expect_eq, main, test, wait_for

JARS = os.environ.get("KAFKA_JARS") or os.path.abspath("build/kafka/jars")


def java(main_class, *args, stdin=None, check=True):
    run = subprocess.run(["java", "-Xmx256m", "-cp", JARS + "/*", main_class, *args], input=stdin, timeout=120,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if check:
        expect_eq(run.returncode, 0, f"{main_class} {' '.join(args)}: {run.stdout[-1500:]}{run.stderr[-1500:]}")
    return run.stdout


def topics(c, *args):
    return java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", c.bootstrap, *args)


@test
def kafka_topics_creates_lists_describes_alters_and_deletes():
    with Cluster() as c:
        topics(c, "--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "3",
               "--config", "min.insync.replicas=2")
        expect_eq(topics(c, "--list").split(), ["orders"], "topics")
        text = topics(c, "--describe", "--topic", "orders")
        expect("PartitionCount: 3" in text and "ReplicationFactor: 3" in text, text)
        expect("min.insync.replicas=2" in text, text)
        topics(c, "--alter", "--topic", "orders", "--partitions", "5")
        expect("PartitionCount: 5" in topics(c, "--describe", "--topic", "orders"), "five partitions")
        topics(c, "--delete", "--topic", "orders")
        expect_eq(topics(c, "--list").split(), [], "topics after the deletion")


@test
def console_producer_and_consumer():
    with Cluster() as c:
        c.create("t", partitions=2)
        lines = [f"line {i}" for i in range(1000)]
        java("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", c.bootstrap, "--topic", "t",
             stdin="\n".join(lines) + "\n")
        got = []
        for p in ("0", "1"):
            got += java("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", c.bootstrap,
                        "--topic", "t", "--partition", p, "--offset", "earliest", "--timeout-ms", "4000",
                        check=False).splitlines()
        got = [x for x in got if x.startswith("line ")]     # the tool also says how many it read
        expect(sorted(got) == sorted(lines), f"{len(got)} lines of 1000, or not the same")


@test
def kafka_configs_and_broker_api_versions():
    with Cluster() as c:
        c.create("t")
        java("kafka.admin.ConfigCommand", "--bootstrap-server", c.bootstrap, "--alter", "--entity-type", "topics",
             "--entity-name", "t", "--add-config", "retention.ms=1000000")
        text = java("kafka.admin.ConfigCommand", "--bootstrap-server", c.bootstrap, "--describe", "--entity-type",
                    "topics", "--entity-name", "t")
        expect("retention.ms=1000000" in text, text)


@test
def kafka_offsets_delete_records_and_log_dirs():
    with Cluster() as c:
        c.create("t", partitions=2)
        p = producer(c)
        for i in range(50):
            send_ok(p, "t", b"%d" % i, partition=1)
        tools, server = "org.apache.kafka.tools.", ["--bootstrap-server", c.bootstrap]
        expect_eq(java(tools + "GetOffsetShell", *server, "--topic", "t").split(), ["t:0:0", "t:1:50"], "ends")
        plan = os.path.join(c.dir, "delete.json")
        with open(plan, "w") as f:
            f.write('{"version":1,"partitions":[{"topic":"t","partition":1,"offset":20}]}')
        text = java(tools + "DeleteRecordsCommand", *server, "--offset-json-file", plan)
        expect("t-1\tlow_watermark: 20" in text, text)
        text = java(tools + "GetOffsetShell", *server, "--topic", "t", "--time", "earliest")
        expect_eq(text.split(), ["t:0:0", "t:1:20"], "starts")
        text = java(tools + "LogDirsCommand", *server, "--describe", "--topic-list", "t")
        found = json.loads(text[text.index('{"'):])["brokers"]
        expect_eq([b["broker"] for b in found], [1, 2, 3], "brokers")
        for b in found:
            sizes = {x["partition"]: x["size"] for d in b["logDirs"] for x in d["partitions"]}
            expect(sizes["t-0"] == 0 and sizes["t-1"] > 50, f"broker {b['broker']}: {sizes}")


@test
def kafka_leader_election_and_cluster():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]])
        c.kill(1)
        c.wait_leader("t", other_than=1)
        tools, server = "org.apache.kafka.tools.", ["--bootstrap-server", c.brokers[2]["address"]]
        text = java(tools + "ClusterTool", "list-endpoints", *server, "--include-fenced-brokers")
        expect_eq([line.split()[4] for line in text.splitlines()[1:]], ["fenced", "unfenced", "unfenced"], "states")
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        java(tools + "LeaderElectionCommand", *server, "--election-type", "preferred", "--all-topic-partitions")
        expect_eq(c.partition("t")["leader"], 1, "leader")
        text = java(tools + "LeaderElectionCommand", *server, "--election-type", "unclean", "--topic", "t",
                    "--partition", "0")
        expect("already elected" in text, text)
        text = java(tools + "BrokerApiVersionsCommand", *server)
        expect("Produce(0): 0 to 13 [usable: 13]" in text and "10000" not in text, text)


@test
def kafka_metadata_quorum_removes_and_adds_a_controller():
    """A controller that lost its disk; the tool reads the new directory's id from its meta.properties."""
    with Cluster(controllers=3) as c:
        def members():
            return {(m["id"], m["directory_id"]): m["role"] for m in c.json("quorum", "describe")["items"]}
        victim, old = next(m for m, role in members().items() if role == "voter")
        folder = os.path.join(c.dir, f"controller-{victim}")
        c.kill(victim)
        shutil.rmtree(os.path.join(folder, "data"))
        c.restart(victim)
        wait_for(lambda: "observer" in members().values(), 15, "the new disk to follow")
        meta = next(base for base, _, files in os.walk(folder) if "meta.properties" in files)
        conf = os.path.join(c.dir, "add.properties")
        with open(conf, "w") as f:
            f.write(f"process.roles=controller\nnode.id={victim}\nmetadata.log.dir={meta}\nlog.dirs={meta}\n"
                    f"listeners=CONTROLLER://{c.nodes[victim]['address']}\ncontroller.listener.names=CONTROLLER\n")
        tool, server = "org.apache.kafka.tools.MetadataQuorumCommand", ["--bootstrap-server", c.bootstrap]
        java(tool, *server, "remove-controller", "--controller-id", str(victim), "--controller-directory-id", old)
        text = java(tool, *server, "--command-config", conf, "add-controller")
        new = re.search(r"Added controller \d+ with directory id (\S+)", text).group(1)
        expect_eq(members().get((victim, new)), "voter", "the new disk")
        text = java(tool, *server, "describe", "--status")
        expect(new in text and old not in text, text)


@test
def kafka_dump_log_accepts_every_file():
    """Segments, both indexes and producer snapshots, after rolls, restarts and a kill."""
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], segment_bytes=1048576, min_insync_replicas=2)
        p = producer(c, enable_idempotence=True, linger_ms=5, compression_type="lz4")
        plain = producer(c, linger_ms=5)
        for i in range(3000):
            (p if i % 2 else plain).produce("t", value=os.urandom(1000), key=b"%d" % i, partition=0)
            p.poll(0)
            plain.poll(0)
        p.flush(30)
        plain.flush(30)
        c.kill(1)
        c.wait_leader("t", other_than=1)
        send_ok(producer(c), "t", b"after the kill")
        c.restart(1)
        c.wait_isr("t", [1, 2, 3])
        n = len(values(c, "t"))
        expect_eq(n, 3001, "records")
        dirs = {b: c.log_dir(b, "t") for b in (1, 2, 3)}
        c.weir("local", "down", timeout=60)
        for b, d in dirs.items():
            files = sorted(f for kind in ("log", "index", "timeindex", "snapshot") for f in glob.glob(f"{d}/*.{kind}"))
            expect(sum(f.endswith(".log") for f in files) >= 2, f"broker {b} did not roll: {files}")
            text = java("org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", ",".join(files))
            bad = [x for x in text.splitlines() if "mismatch" in x.lower() or "isvalid: false" in x.lower()
                   or "invalid" in x.lower() or "not found" in x.lower() or "corrupt" in x.lower()]
            expect(not bad, f"broker {b}: {bad[:5]}")
            indexes = ",".join(f for f in files if f.endswith("index"))
            java("org.apache.kafka.tools.DumpLogSegments", "--index-sanity-check", "--files", indexes)


if __name__ == "__main__":
    if not shutil.which("java") or not glob.glob(JARS + "/kafka_2.13-*.jar"):
        print("SKIP kafka_tools: no java, or no Kafka jars (set KAFKA_JARS)")
        sys.exit(0)
    main()
