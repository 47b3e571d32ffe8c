#!/usr/bin/python3
"""versus.py - Apache Kafka and Weir, one after the other, on this machine, with the same client.

    make perf-versus            or    tests/perf/versus.py [--quick] [--kills N] [--only weir|kafka]

Both run as three brokers on loopback, replication factor 3, min.insync.replicas 2, six partitions,
acks=all, all defaults otherwise; the clients share the machine.  Kafka is three combined
broker+controller nodes with the heap its users give it (-Xms512m -Xmx1g), fetched from Maven
Central into build/kafka; Weir is one controller and three brokers.  CPU is that of every server
process together.  The client is tests/perf/rdkafka_bench.c on the system's librdkafka.

Kafka is warmed up before it is measured (its JVM compiles as it runs); Weir gets the same.
"""
import argparse
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from lib.cluster import BUILD, PORT_STEP, Cluster, Failed, end_process, free_base_port, wait_for

KAFKA = "4.3.1"
BENCH = os.path.join(BUILD, "tests/perf/rdkafka_bench")
TICK = os.sysconf("SC_CLK_TCK")
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>weir</groupId><artifactId>versus</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>%s</dependencies></project>"""
ARTIFACTS = [("org.apache.kafka", "kafka_2.13", KAFKA), ("org.apache.kafka", "kafka-tools", KAFKA)] + \
    [("org.apache.logging.log4j", a, "2.24.3") for a in ("log4j-api", "log4j-core", "log4j-slf4j-impl")]


def kafka_jars():
    """The folder with Kafka's jars: $KAFKA_JARS, or fetched once with Maven."""
    there = os.environ.get("KAFKA_JARS") or os.path.abspath("build/kafka/jars")
    if glob.glob(os.path.join(there, "kafka_2.13-*.jar")):
        return there
    if not shutil.which("mvn") or not shutil.which("java"):
        subprocess.run("apt-get update -qq && apt-get install -y -qq maven default-jre-headless", shell=True, check=True,
                       stdout=subprocess.DEVNULL)
    os.makedirs("build/kafka", exist_ok=True)
    deps = "".join(f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
                   for g, a, v in ARTIFACTS)
    with open("build/kafka/pom.xml", "w") as f:
        f.write(POM % deps)
    subprocess.run(["mvn", "-q", "-f", "build/kafka/pom.xml", "dependency:copy-dependencies",
                    f"-DoutputDirectory={there}"], check=True)
    return there


class KafkaCluster:
    """Three combined nodes; the same small surface as lib.cluster.Cluster."""

    def __init__(self):
        self.jars = kafka_jars()
        self.dir = tempfile.mkdtemp(prefix="weir-versus-")
        self.pids = {}

    def java(self, *args, **kw):
        return subprocess.run(["java", "-cp", self.jars + "/*", *args], check=True, stdout=subprocess.DEVNULL, **kw)

    def conf(self, n, base):
        ports = [base + PORT_STEP * (i - 1) for i in (1, 2, 3)]
        voters = ",".join(f"{i}@127.0.0.1:{p + 1}" for i, p in zip((1, 2, 3), ports))
        path = os.path.join(self.dir, f"{n}.properties")
        with open(path, "w") as f:
            f.write(f"""process.roles=broker,controller
node.id={n}
listeners=PLAINTEXT://127.0.0.1:{ports[n - 1]},CONTROLLER://127.0.0.1:{ports[n - 1] + 1}
advertised.listeners=PLAINTEXT://127.0.0.1:{ports[n - 1]}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.quorum.voters={voters}
log.dirs={self.dir}/{n}
default.replication.factor=3
min.insync.replicas=2
""")
        return path

    def __enter__(self):
        base = free_base_port()
        log4j = os.path.join(self.dir, "log4j2.properties")
        with open(log4j, "w") as f:
            f.write("rootLogger.level=ERROR\n")
        paths = {n: self.conf(n, base) for n in (1, 2, 3)}
        cluster_id = "MkU3OEVBNTcwNTJENDM2Qk"
        for n, path in paths.items():
            self.java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", path, stderr=subprocess.DEVNULL)
        self.started = time.monotonic()
        for n, path in paths.items():
            p = subprocess.Popen(["java", "-Xms512m", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
                                  f"-Dlog4j2.configurationFile={log4j}", "-cp", self.jars + "/*", "kafka.Kafka", path],
                                 stdout=open(os.path.join(self.dir, f"{n}.out"), "w"), stderr=subprocess.STDOUT)
            self.pids[n] = p.pid
        self.bootstrap = ",".join(f"127.0.0.1:{base + PORT_STEP * i}" for i in range(3))
        wait_for(self.is_up, 90, "Kafka's three brokers")
        return self

    def is_up(self):
        for address in self.bootstrap.split(","):
            host, port = address.split(":")
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                return False
        return True

    def __exit__(self, *_):
        for pid in self.pids.values():
            end_process(pid)
        for pid in self.pids.values():
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill(self, n):
        os.kill(self.pids[n], signal.SIGKILL)

    def servers(self):
        return list(self.pids.values())


class WeirCluster(Cluster):
    def __enter__(self):
        self.started = time.monotonic()
        return super().__enter__()

    def servers(self):
        return [n["pid"] for n in self.nodes.values()]


def admin(c):
    from confluent_kafka.admin import AdminClient
    return AdminClient({"bootstrap.servers": c.bootstrap})


def create(c, topic, partitions=6):
    from confluent_kafka.admin import NewTopic

    client = admin(c)

    def done():
        try:
            client.create_topics([NewTopic(topic, partitions, 3, config={"min.insync.replicas": "2"})],
                                 request_timeout=20)[topic].result()
            return True
        except Exception as why:
            return "EXISTS" in str(why)
    wait_for(done, 60, f"topic {topic}")
    wait_for(lambda: leader(c, topic) is not None, 30, f"leaders of {topic}")


def leader(c, topic, partition=0):
    client = admin(c)
    t = client.list_topics(topic, timeout=10).topics[topic]
    if t.error or any(p.leader < 0 for p in t.partitions.values()):
        return None
    return t.partitions[partition].leader


def cpu_s(c):
    total = 0
    for pid in c.servers():
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except FileNotFoundError:
            pass
    return total / TICK


def rss_mb(c):
    """Of the largest server process."""
    best = 0
    for pid in c.servers():
        with open(f"/proc/{pid}/status") as f:
            best = max(best, next(int(x.split()[1]) for x in f if x.startswith("VmRSS")))
    return best / 1024


def bench(c, mode, topic, *args):
    """Runs the client; its figures plus the servers' CPU in ns per byte of payload."""
    before = cpu_s(c)
    run = subprocess.run([BENCH, mode, "-b", c.bootstrap, "-t", topic, *map(str, args)], stdout=subprocess.PIPE,
                         text=True, timeout=600)
    if run.returncode:
        raise Failed(f"rdkafka_bench {mode}: exit {run.returncode}: {run.stdout}")
    got = {k: float(v) for k, v in (f.split("=") for f in run.stdout.split())}
    if "mb_s" in got:
        got["server_ns"] = (cpu_s(c) - before) * 1e3 / (got["mb_s"] * got["seconds"])
    return got


def failover_gap_ms(c, topic, seconds):
    """kill -9 of the leader under an idempotent producer with defaults; the gap it saw."""
    client = subprocess.Popen([BENCH, "gap", "-b", c.bootstrap, "-t", topic, "-n", str(seconds), "-p", "3"],
                              stdout=subprocess.PIPE, text=True)
    client.stdout.readline()
    time.sleep(1)
    victim = leader(c, topic)
    c.kill(victim)
    out, _ = client.communicate(timeout=seconds + 60)
    if client.returncode:
        raise Failed(f"records were lost or refused over the kill: {out}")
    return victim, float(out.rsplit("gap_ms=", 1)[1])


def measure(name, make, o):
    figures = {}
    scale = 0.2 if o.quick else 1
    with make() as c:
        create(c, "first", 1)
        bench(c, "latency", "first", "-n", 1)
        figures["start"] = (time.monotonic() - c.started) * 1000
        time.sleep(1)
        figures["rss_idle"] = rss_mb(c)
        create(c, "bench")
        batching = ("-X", "linger.ms=5", "-X", "batch.size=65536", "-X", "batch.num.messages=10000")
        bench(c, "produce", "bench", "-n", int(400000 * scale), *batching)
        figures["produce"] = bench(c, "produce", "bench", "-n", int(1000000 * scale), *batching)
        create(c, "small")
        figures["small"] = bench(c, "produce", "small", "-n", int(3000000 * scale), "-s", 100, *batching)
        figures["consume"] = bench(c, "consume", "bench", "-n", int(1400000 * scale))
        figures["latency"] = bench(c, "latency", "first", "-n", int(5000 * scale))
        figures["rss_load"] = rss_mb(c)
        figures["gap"] = []
        create(c, "gap", 3)     # a leader on each broker: librdkafka is connected to all of them
        victim, ms = failover_gap_ms(c, "gap", 25 if name == "kafka" else 8)
        figures["gap"].append(ms)
        if name == "weir":
            for _ in range(o.kills - 1):
                c.restart(victim)
                for partition in range(3):
                    c.wait_isr("gap", [1, 2, 3], partition)
                # Leaders go home, but for topics that are still catching up: they do not matter here.
                c.weir("leaders", "elect", "--all", check=False)
                victim, ms = failover_gap_ms(c, "gap", 6)
                figures["gap"].append(ms)
    print(f"{name}: measured", file=sys.stderr)
    return figures


ROWS = [
    ("produce 1 KiB, 64 KiB batches, MB/s", lambda f: f["produce"]["mb_s"], True),
    ("  servers' CPU, ns per byte", lambda f: f["produce"]["server_ns"], False),
    ("produce 100 B, records/s", lambda f: f["small"]["records_s"], True),
    ("  servers' CPU, ns per byte", lambda f: f["small"]["server_ns"], False),
    ("consume 1 KiB, MB/s", lambda f: f["consume"]["mb_s"], True),
    ("  servers' CPU, ns per byte", lambda f: f["consume"]["server_ns"], False),
    ("1 KiB, one in flight, p50 us", lambda f: f["latency"]["p50_us"], False),
    ("  p99 us", lambda f: f["latency"]["p99_us"], False),
    ("  p99.9 us", lambda f: f["latency"]["p999_us"], False),
    ("gap after kill -9 of the leader, worst, ms", lambda f: max(f["gap"]), False),
    ("exec to first acknowledged record, ms", lambda f: f["start"], False),
    ("RSS idle, MB (largest server)", lambda f: f["rss_idle"], False),
    ("RSS after load, MB", lambda f: f["rss_load"], False),
]


def table(kafka, weir):
    print(f"| measure | Apache Kafka {KAFKA} | Weir | ratio |\n|---|---|---|---|")
    for name, of, more_is_better in ROWS:
        k, w = (of(f) if f else None for f in (kafka, weir))
        ratio = f"{(w / k if more_is_better else k / w):.1f}x" if k and w else "-"
        cells = ["-" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.2f}" for v in (k, w)]
        print(f"| {name} | {cells[0]} | {cells[1]} | {ratio} |")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--quick", action="store_true", help="a fifth of the records")
    p.add_argument("--kills", type=int, default=5, help="kills of the leader measured on Weir")
    p.add_argument("--only", choices=("weir", "kafka"))
    o = p.parse_args()
    try:
        kafka = measure("kafka", KafkaCluster, o) if o.only != "weir" else None
        weir = measure("weir", WeirCluster, o) if o.only != "kafka" else None
    except Failed as why:
        sys.exit(f"versus: {why}")
    table(kafka, weir)


if __name__ == "__main__":
    main()
