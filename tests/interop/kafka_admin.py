#!/usr/bin/python3
"""kafka_admin.py - Kafka's own administration tools, each verb of each, against a Weir cluster.  Needs
Java and Kafka's jars as kafka_tools.py does; skips with the reason where they are not there."""
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
TOOLS = {
    "configs": "kafka.admin.ConfigCommand",
    "reassign": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "features": "org.apache.kafka.tools.FeatureCommand",
    "quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "cluster": "org.apache.kafka.tools.ClusterTool",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "election": "org.apache.kafka.tools.LeaderElectionCommand",
    "logdirs": "org.apache.kafka.tools.LogDirsCommand",
}


def run(c, tool, *args, fails=False):
    """What the tool prints; it must end well, or not, as the story says."""
    args = ["--bootstrap-server", c.bootstrap, *args] if tool not in ("cluster",) else \
        [args[0], "--bootstrap-server", c.bootstrap, *args[1:]]
    done = subprocess.run(["java", "-Xmx256m", "-cp", JARS + "/*", TOOLS[tool], *args], timeout=180,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect((done.returncode != 0) == fails, f"{tool} {' '.join(args[2:])}: exit {done.returncode}: {done.stdout[-2500:]}")
    return done.stdout


def says(text, *patterns):
    for p in patterns:
        expect(re.search(p, text), f"no /{p}/ in {text}")


def write(c, name, what):
    path = os.path.join(c.dir, name)
    with open(path, "w") as f:
        json.dump(what, f)
    return path


def plan_of(c, topic, replicas, log_dirs=None):
    rows = [{"topic": topic, "partition": n, "replicas": r, **({"log_dirs": log_dirs} if log_dirs else {})}
            for n, r in enumerate(replicas)]
    return write(c, "plan.json", {"version": 1, "partitions": rows})


def replicas(c, topic):
    return [p["replicas"] for p in sorted(c.json("partitions", "list", topic)["items"], key=lambda p: p["partition"])]


@test
def reassign_partitions_generates_executes_verifies_lists_and_cancels():
    with Cluster(brokers=4) as c:
        c.create("t", [[1, 2], [2, 3]], min_insync_replicas=1)
        for n in (0, 1):
            send_ok(producer(c), "t", b"x" * 1000, partition=n)
        topics = write(c, "topics.json", {"version": 1, "topics": [{"topic": "t"}]})
        text = run(c, "reassign", "--generate", "--topics-to-move-json-file", topics, "--broker-list", "3,4")
        says(text, "Current partition replica assignment", r"Proposed partition reassignment configuration")
        plan = plan_of(c, "t", [[3, 4], [4, 3]])
        says(run(c, "reassign", "--execute", "--reassignment-json-file", plan, "--throttle", "10000000"),
             "Successfully started partition reassignments for t-0,t-1", "throttle")
        wait_for(lambda: replicas(c, "t") == [[3, 4], [4, 3]], 30, "the reassignment")
        says(run(c, "reassign", "--verify", "--reassignment-json-file", plan),
             "Reassignment of partition t-0 is completed.", "Clearing broker-level throttles", "Clearing topic-level")
        text = run(c, "configs", "--describe", "--entity-type", "topics", "--entity-name", "t")
        expect("throttled" not in text, text)
        says(run(c, "reassign", "--list"), "No partition reassignments found")
        # One that takes long, as it is throttled; then cancelled.
        for i in range(40):
            send_ok(producer(c), "t", os.urandom(500000), partition=i % 2)
        plan = plan_of(c, "t", [[1, 3], [1, 4]])
        run(c, "reassign", "--execute", "--reassignment-json-file", plan, "--throttle", "100000")
        says(run(c, "reassign", "--list"), r"t-0: replicas: 1,3,4\. adding: 1\. removing: 4\.")
        says(run(c, "reassign", "--verify", "--reassignment-json-file", plan), "t-0 is still in progress")
        says(run(c, "reassign", "--cancel", "--reassignment-json-file", plan), "Successfully cancelled")
        expect_eq([sorted(r) for r in replicas(c, "t")], [[3, 4], [3, 4]], "replicas")
        expect_eq(len(values(c, "t")), 21, "records")


@test
def reassign_partitions_moves_between_log_directories_and_log_dirs_shows_it():
    with Cluster(brokers=2) as c:
        for n, node in c.brokers.items():
            conf = glob.glob(os.path.join(node["dir"], "*.properties"))[0]
            with open(conf) as f:
                text = f.read()
            with open(conf, "w") as f:
                f.write(re.sub(r"log\.dirs=(.*)/data", r"log.dirs=\1/data,\1/more", text))
            c.restart(n)
        c.create("t", [[1]], min_insync_replicas=1)
        send_ok(producer(c), "t", b"x")
        more = os.path.join(c.brokers[2]["dir"], "more")
        run(c, "reassign", "--execute", "--reassignment-json-file", plan_of(c, "t", [[2]], [more]))
        wait_for(lambda: os.path.isdir(os.path.join(more, "t-0")) and replicas(c, "t") == [[2]], 30, "the move")
        text = run(c, "logdirs", "--describe", "--broker-list", "2", "--topic-list", "t")
        found = json.loads(text[text.index('{"'):])["brokers"][0]["logDirs"]
        expect_eq({d["logDir"]: [p["partition"] for p in d["partitions"]] for d in found}[more], ["t-0"], "partitions")


@test
def configs_of_topics_brokers_and_the_cluster():
    with Cluster() as c:
        c.create("t")
        run(c, "configs", "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config",
            "retention.ms=1000000,cleanup.policy=[compact,delete]")
        says(run(c, "configs", "--describe", "--entity-type", "topics", "--entity-name", "t"),
             "retention.ms=1000000 .*DYNAMIC_TOPIC_CONFIG:retention.ms=1000000", "cleanup.policy=compact,delete")
        run(c, "configs", "--alter", "--entity-type", "topics", "--entity-name", "t", "--delete-config", "retention.ms")
        expect("retention" not in run(c, "configs", "--describe", "--entity-type", "topics", "--entity-name", "t"), "gone")
        says(run(c, "configs", "--describe", "--entity-type", "topics", "--entity-name", "t", "--all"),
             "retention.ms=604800000", "segment.bytes=")
        run(c, "configs", "--alter", "--entity-type", "brokers", "--entity-default", "--add-config",
            "log.retention.ms=5000000,log.segment.bytes=2000000")
        says(run(c, "configs", "--describe", "--entity-type", "brokers", "--entity-default"), "log.retention.ms=5000000")
        run(c, "configs", "--alter", "--entity-type", "brokers", "--entity-name", "1", "--add-config",
            "leader.replication.throttled.rate=1000,message.max.bytes=2000000")
        says(run(c, "configs", "--describe", "--entity-type", "brokers", "--entity-name", "1"),
             "leader.replication.throttled.rate=1000", "message.max.bytes=2000000")
        says(run(c, "configs", "--describe", "--entity-type", "brokers", "--entity-name", "1", "--all"),
             "log.segment.bytes=2000000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:log.segment.bytes=2000000")
        says(run(c, "configs", "--describe", "--entity-type", "topics", "--entity-name", "t", "--all"),
             "retention.ms=5000000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=5000000")
        says(run(c, "configs", "--alter", "--entity-type", "brokers", "--entity-name", "1", "--add-config",
                 "listeners=PLAINTEXT://:1", fails=True), "cannot change while brokers run|Cannot update")
        says(run(c, "configs", "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config",
                 "retention.ms=soon", fails=True), "retention.ms")


@test
def features_are_described_lowered_and_raised():
    with Cluster() as c:
        text = run(c, "features", "describe")
        says(text, r"metadata.version\s+SupportedMinVersion: 3.3-IV3\s+SupportedMaxVersion: 4.3-IV0\s+"
                   r"FinalizedVersionLevel: 4.3-IV0", "kraft.version", "eligible.leader.replicas.version")
        run(c, "features", "downgrade", "--metadata", "4.1")
        says(run(c, "features", "describe"), "metadata.version.*FinalizedVersionLevel: 4.1-IV1")
        run(c, "features", "upgrade", "--release-version", "4.3", fails=True)      # it names features that are not here
        run(c, "features", "upgrade", "--feature", "metadata.version=30")
        says(run(c, "features", "describe"), "metadata.version.*FinalizedVersionLevel: 4.3-IV0")
        says(run(c, "features", "upgrade", "--feature", "share.version=1", fails=True), "share.version")
        says(run(c, "features", "upgrade", "--feature", "metadata.version=30", "--dry-run"), "metadata.version")
        says(run(c, "features", "version-mapping"), "metadata.version")
        says(run(c, "features", "feature-dependencies", "--feature", "metadata.version=30"), "metadata.version")


@test
def the_quorum_is_described_and_voters_go():
    with Cluster(controllers=3) as c:
        text = run(c, "quorum", "describe", "--status")
        says(text, r"ClusterId: +[A-Za-z0-9_-]{22}", r"LeaderId: +10\d", r"HighWatermark: +\d+", r'CurrentVoters: .*"id": 101',
             r"controller|CONTROLLER")
        text = run(c, "quorum", "describe", "--replication")
        expect_eq(sorted(line.split()[-1] for line in text.splitlines()[1:] if line.strip()),
                  ["Follower", "Follower", "Leader", "Observer", "Observer", "Observer"], "roles")
        rows = {int(line.split()[0]): line.split() for line in text.splitlines()[1:] if line.strip()}
        follower = next(n for n, row in rows.items() if row[-1] == "Follower")
        text = run(c, "quorum", "remove-controller", "--controller-id", str(follower), "--controller-directory-id",
                   rows[follower][1])
        says(text, f"Removed +KRaft controller {follower}")
        says(run(c, "quorum", "remove-controller", "--controller-id", str(follower), "--controller-directory-id",
                 rows[follower][1], fails=True), "VoterNotFound|VOTER_NOT_FOUND|not")


@test
def clusters_have_an_id_endpoints_and_lose_brokers():
    with Cluster() as c:
        says(run(c, "cluster", "cluster-id"), "Cluster ID: [A-Za-z0-9_-]{22}")
        says(run(c, "cluster", "list-endpoints"), "1 .*localhost|1 .*127.0.0.1")
        c.kill(3)
        wait_for(lambda: "fenced" in str(c.json("brokers", "list")), 20, "broker 3 to be fenced")
        c.bootstrap = c.brokers[1]["address"]
        says(run(c, "cluster", "list-endpoints", "--include-fenced-brokers"), r"3 .*fenced")
        says(run(c, "cluster", "unregister", "--id", "3"), "Broker 3 is no longer registered")
        expect_eq(len(c.json("brokers", "list")["items"]), 2, "brokers")


@test
def leaders_are_elected_by_preference_and_without_any_in_sync():
    with Cluster() as c:
        c.create("t", [[1, 2], [2, 1]], min_insync_replicas=1)
        send_ok(producer(c), "t", b"x")
        c.kill(1)
        c.wait_leader("t", other_than=1)
        c.restart(1)
        c.wait_isr("t", [1, 2])
        path = write(c, "one.json", {"partitions": [{"topic": "t", "partition": 0}]})
        says(run(c, "election", "--election-type", "preferred", "--path-to-json-file", path), "t-0")
        expect_eq(c.partition("t")["leader"], 1, "leader")
        c.kill(2)
        c.wait_isr("t", [1])
        c.kill(1)
        wait_for(lambda: c.partition("t")["leader"] < 1, 20, "no leader")
        c.restart(2)
        c.bootstrap = c.brokers[2]["address"]
        says(run(c, "election", "--election-type", "unclean", "--topic", "t", "--partition", "0"), "Successfully")
        c.wait_leader("t")
        expect_eq(c.partition("t")["leader"], 2, "leader")


@test
def topics_are_described_by_what_is_wrong_with_them():
    with Cluster() as c:
        c.create("t", [[1, 2, 3]], min_insync_replicas=3)
        run(c, "topics", "--create", "--topic", "u", "--replica-assignment", "1:2,2:3", "--config", "segment.bytes=2000000")
        expect_eq(sorted(run(c, "topics", "--list").split()), ["t", "u"], "topics")
        c.kill(3)
        c.wait_isr("t", [1, 2])
        c.bootstrap = c.brokers[1]["address"]
        says(run(c, "topics", "--describe", "--under-replicated-partitions"), "Topic: t", "Partition: 1.*|Topic: u")
        says(run(c, "topics", "--describe", "--under-min-isr-partitions"), "Topic: t.*Partition: 0")
        expect_eq(run(c, "topics", "--describe", "--unavailable-partitions").strip(), "", "unavailable")
        says(run(c, "topics", "--describe", "--topic", "t"), r"Elr: *3|LastKnownElr")
        says(run(c, "topics", "--describe", "--topics-with-overrides"), "segment.bytes=2000000")
        run(c, "topics", "--alter", "--topic", "u", "--partitions", "3", "--replica-assignment", "1:2,2:1,1:2")
        run(c, "topics", "--delete", "--topic", "u")
        expect_eq(run(c, "topics", "--list").split(), ["t"], "topics")


if __name__ == "__main__":
    if not shutil.which("java") or not glob.glob(JARS + "/kafka_2.13-*.jar"):
        print("SKIP kafka_admin: no java, or no Kafka jars (set KAFKA_JARS)")
        sys.exit(0)
    main()
