/* golden_test.c - what weir prints about a cluster made of records, byte for byte: transcripts in
 * tests/unit/cli/golden, one per family.  GOLDEN=update writes them anew. */
#include "controller/cli/cli.h"
#include "tests/lib/test.h"
#include "tests/unit/cli/goldenworld.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FOLDER "tests/unit/cli/golden"
#define WORDS_MAX 16

/* Runs "weir topics list" with --saved, its stdout and stderr at the end of the file. */
static char saved[] = "--saved";

static void run(const char *command, const char *world, const char *out)
{
	int fd = open(out, O_WRONLY | O_APPEND | O_CLOEXEC), old[2] = { dup(1), dup(2) }, code;
	char words[512], *argv[WORDS_MAX], *rest = words;
	int argc = 0;

	snprintf(words, sizeof(words), "%s", command);
	while (rest && argc + 3 < WORDS_MAX)
		argv[argc++] = strsep(&rest, " ");
	argv[argc++] = saved;
	argv[argc++] = (char *)(uintptr_t)world;
	argv[argc] = NULL;
	fflush(stdout);
	ASSERT(fd >= 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
	dprintf(1, "$ %s\n", command);
	code = cli_main(argc, argv);
	fflush(stdout);
	dprintf(1, "exit %d\n\n", code);
	for (int i = 0; i < 2; i++) {
		ASSERT(dup2(old[i], i + 1) == i + 1);
		close(old[i]);
	}
	close(fd);
}

static struct str slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = mem_grow(NULL, 1 << 20);
	size_t n = f ? fread(text, 1, 1 << 20, f) : 0;

	if (f)
		fclose(f);
	return (struct str){ text, n };
}

static void compare(const char *name, const char *got_path, const char *want_path)
{
	struct str got = slurp(got_path), want = slurp(want_path);
	size_t at = 0, line = 1;

	while (at < got.n && at < want.n && got.at[at] == want.at[at])
		line += got.at[at++] == '\n';
	if (!str_eq(got, want)) {
		const char *from = at < got.n ? got.at + at : "";

		FAIL("%s, line %zu: differs from " FOLDER "/%s.txt at \"%.*s\"", name, line, name,
		     (int)(at < got.n ? size_min(60, got.n - at) : 0), from);
	}
	mem_free((void *)(uintptr_t)got.at);
	mem_free((void *)(uintptr_t)want.at);
}

static void transcript(const char *name, const char *const *commands, size_t n)
{
	const char *dir = test_tmpdir(), *update = getenv("GOLDEN");
	char world[300], out[300], want[300];
	int fd;

	setenv("XDG_STATE_HOME", "/nonexistent", 1);
	snprintf(world, sizeof(world), "%s/world", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	snprintf(want, sizeof(want), FOLDER "/%s.txt", name);
	goldenworld_save(world);
	if (update && strcmp(update, "update") == 0)
		snprintf(out, sizeof(out), "%s", want);
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ASSERT(fd >= 0);
	close(fd);
	for (size_t i = 0; i < n; i++)
		run(commands[i], world, out);
	compare(name, out, want);
}

#define TRANSCRIPT(name, ...)                                                                      \
	TEST(name)                                                                                 \
	{                                                                                          \
		static const char *const commands[] = { __VA_ARGS__ };                             \
		transcript(#name, commands, ARRAY_LEN(commands));                                  \
	}

TRANSCRIPT(cluster, "weir cluster health", "weir cluster health -o json", "weir cluster check",
	   "weir cluster check -o json", "weir cluster check --nagios", "weir cluster id",
	   "weir cluster id -o json", "weir cluster describe-errors 19",
	   "weir cluster describe-errors NOT_LEADER_OR_FOLLOWER -o json",
	   "weir cluster describe-errors 9999", "weir cluster can-restart 1",
	   "weir cluster can-restart 1 -o json", "weir cluster can-restart 101",
	   "weir cluster can-restart 7", "weir cluster can-restart 3 --ignore-single")

TRANSCRIPT(brokers, "weir brokers list", "weir brokers list -o wide", "weir brokers list -o json",
	   "weir brokers list -o csv", "weir brokers list -o name",
	   "weir brokers list --columns id,address --sort-by -id --no-headers",
	   "weir brokers list --raw-units", "weir brokers describe 3",
	   "weir brokers describe 3 -o json", "weir brokers describe 9")

TRANSCRIPT(topics, "weir topics list", "weir topics list -o wide", "weir topics list -o json",
	   "weir topics list -o jsonl", "weir topics list -o csv", "weir topics list -o name",
	   "weir topics list -o kafka", "weir topics describe",
	   "weir topics describe orders -o json", "weir topics describe -o kafka",
	   "weir topics describe ordres", "weir topics find", "weir topics find --offline -o json",
	   "weir topics find --moving -o csv")

TRANSCRIPT(partitions, "weir partitions list", "weir partitions list -o wide",
	   "weir partitions list orders -o json", "weir partitions list orders -o csv",
	   "weir partitions list --not-well -o name", "weir partitions describe orders-2",
	   "weir partitions describe orders-2 -o json", "weir partitions describe orders-9",
	   "weir partitions epochs orders-2", "weir partitions epochs orders-2 -o json",
	   "weir partitions epochs orders-2 -o csv", "weir partitions epochs audit-0",
	   "weir partitions offsets orders-2", "weir partitions offsets orders-2 -o json",
	   "weir partitions offsets orders-9", "weir partitions offsets orders --time soon")

TRANSCRIPT(leaders, "weir leaders list", "weir leaders list -o json", "weir leaders list -o csv",
	   "weir leaders list --by topic", "weir leaders list --by topic -o json",
	   "weir leaders list --by rack", "weir leaders list --by rack -o json",
	   "weir leaders list --by moon", "weir leaders balance --dry-run",
	   "weir leaders move --from 1 --dry-run")

TRANSCRIPT(isr, "weir isr list", "weir isr list --shrunk -o json", "weir isr list -o csv",
	   "weir isr history orders-0", "weir isr history orders-0 -o json",
	   "weir isr history orders-0 -o csv", "weir isr describe orders-0",
	   "weir isr describe orders-0 -o json")

TRANSCRIPT(events, "weir events", "weir events -o json", "weir events --last 3 -o wide",
	   "weir events orders --type leader,isr", "weir events --type broker -o csv",
	   "weir events --since 2026-03-01T09:00:05Z -o json", "weir events --type moon",
	   "weir events --since soon")

TRANSCRIPT(configs, "weir configs list", "weir configs list -o json", "weir configs list orders",
	   "weir configs list topics/nope", "weir configs describe topics/orders",
	   "weir configs describe brokers/", "weir configs describe brokers/9")

TRANSCRIPT(replicas, "weir replicas status", "weir replicas status -o json",
	   "weir replicas status -o csv", "weir replicas rebalance --dry-run",
	   "weir replicas set-factor audit 2 --dry-run",
	   "weir replicas set-factor audit 2 --dry-run -o json",
	   "weir replicas set-factor orders 4 --dry-run",
	   "weir replicas reassign --drain 2 --dry-run",
	   "weir replicas reassign --topics audit --to 1,2 --dry-run -o csv")

TRANSCRIPT(metadata, "weir metadata ls", "weir metadata ls /topics", "weir metadata ls /nope",
	   "weir metadata cat /topics/orders/2", "weir metadata cat /brokers/3 -o json",
	   "weir metadata cat /topics/orders/2 --at 12", "weir metadata diff 15 17",
	   "weir metadata diff 15 17 -o json", "weir metadata diff now now",
	   "weir metadata log dump --offset 15..20", "weir metadata log dump --offset 16 -o json")

TRANSCRIPT(kafka, "kafka-topics.sh --list --bootstrap-server x",
	   "kafka-topics.sh --describe --bootstrap-server x",
	   "kafka-topics.sh --describe --under-min-isr-partitions --bootstrap-server x",
	   "kafka-topics.sh --describe --at-min-isr-partitions --bootstrap-server x",
	   "kafka-topics --describe --unavailable-partitions --bootstrap-server x",
	   "kafka-topics.sh --describe --topic nope --bootstrap-server x",
	   "kafka-reassign-partitions.sh --list --bootstrap-server x", "kafka-topics.sh --list")
