/* Runs tests/story/raft/NAME.txt: a script, a line of dashes, the narrative it must give.
 * STORY_UPDATE=1 in the environment writes the narratives anew: read the diff.
 *
 *   nodes N [VOTERS]      first; all start, messages and syncs take a millisecond each
 *   run MS                time passes
 *   campaign N            N's patience ends
 *   append N RECORDS      N, which leads, appends one batch
 *   crash N, start N, wipe N, slow N MS, pause N MS, snapshot N
 *   isolate N, mute N (nothing it says arrives), cut A B, heal, close A B
 *   add L N, remove L N, transfer L N;  retire L N: the identity N had before it was wiped
 *   quiet                 nobody hears connections close
 *   frames                each append carries one batch
 *   show */
#include "common/base/text.h"
#include "tests/lib/tale.h"
#include "tests/lib/test.h"
#include "tests/story/raftworld.h"

#include <stdio.h>
#include <stdlib.h>

static struct raftworld w;

static void begin(int32_t n, int32_t voters)
{
	struct text *tale = w.tale;

	raftworld_fini(&w);
	raftworld_init(&w, n, voters, true, 7);
	w.tale = tale;
	for (int32_t id = 1; id <= n; id++)
		raftworld_start(&w, id);
}

static void campaign(int32_t id)
{
	w.nodes[id].r.deadline_ms = w.now_ms;
	raftworld_tick(&w, id);
}

static void isolate(int32_t id, bool is_deaf)
{
	for (int32_t k = 1; k <= w.n; k++) {
		w.cut[id][k] = true;
		w.cut[k][id] |= is_deaf;
	}
}

static void show(void)
{
	for (int32_t id = 1; id <= w.n; id++) {
		const struct rw_node *d = &w.nodes[id];

		text_printf(w.tale, "[%6lld] %d =%s", (long long)w.now_ms, id,
			    d->is_up ? "" : " down,");
		if (d->is_up)
			text_printf(w.tale, " commit %lld, term %lld,", (long long)d->r.commit,
				    (long long)d->r.term);
		text_printf(w.tale, " on disk from %lld:", (long long)d->disk.log.start);
		for (int32_t i = 0; i < d->disk.log.n; i++)
			text_printf(w.tale, " %lld", (long long)w.batches[d->disk.log.v[i]].term);
		text_printf(w.tale, "\n");
	}
}

/* N as the leader's voter set has it. */
static struct raft_voter as_known(int32_t leader, int32_t id)
{
	const struct raft_voters *set = raft_voters(&w.nodes[leader].r);

	for (int32_t i = 0; i < set->n; i++)
		if (set->v[i].id == id)
			return set->v[i];
	return raftworld_voter(&w, id);
}

static bool run_two(struct str verb, int32_t a, int32_t b)
{
	enum raft_verdict v;

	if (str_eq(verb, STR("nodes")))
		begin(a, b > 0 ? b : a);
	else if (str_eq(verb, STR("append")))
		return raftworld_append(&w, a, b);
	else if (str_eq(verb, STR("slow")))
		w.nodes[a].slow = b;
	else if (str_eq(verb, STR("pause")))
		w.nodes[a].paused_until = w.now_ms + b;
	else if (str_eq(verb, STR("cut")))
		w.cut[a][b] = w.cut[b][a] = true;
	else if (str_eq(verb, STR("close")))
		raftworld_close(&w, a, b);
	else if (str_eq(verb, STR("add")) || str_eq(verb, STR("remove"))) {
		v = raftworld_change(&w, a, verb.at[0] == 'a' ? RAFT_ADD : RAFT_REMOVE,
				     raftworld_voter(&w, b));
		raftworld_tell(&w, a, "is to %.*s %d: %s", (int)verb.n, verb.at, b,
			       raft_verdict_text(v));
	} else if (str_eq(verb, STR("retire"))) {
		v = raftworld_change(&w, a, RAFT_REMOVE, as_known(a, b));
		raftworld_tell(&w, a, "is to retire %d: %s", b, raft_verdict_text(v));
	} else if (str_eq(verb, STR("transfer"))) {
		v = raftworld_transfer(&w, a, b);
		raftworld_tell(&w, a, "is to hand over to %d: %s", b, raft_verdict_text(v));
	} else
		return false;
	return true;
}

static bool run_one(struct str verb, int32_t a)
{
	if (str_eq(verb, STR("run")))
		raftworld_run(&w, a);
	else if (str_eq(verb, STR("campaign")))
		campaign(a);
	else if (str_eq(verb, STR("crash")))
		raftworld_crash(&w, a, 0);
	else if (str_eq(verb, STR("start")))
		raftworld_start(&w, a);
	else if (str_eq(verb, STR("wipe")))
		raftworld_wipe(&w, a);
	else if (str_eq(verb, STR("isolate")) || str_eq(verb, STR("mute")))
		isolate(a, verb.at[0] == 'i');
	else if (str_eq(verb, STR("snapshot")))
		return raftworld_snapshot(&w, a, false);
	else
		return false;
	return true;
}

static bool run_line(struct str s)
{
	struct str verb = { 0 }, arg = { 0 }, more = { 0 };
	int32_t a = 0, b = 0;

	(void)str_cut(&s, ' ', &verb);
	(void)str_cut(&s, ' ', &arg);
	(void)str_cut(&s, ' ', &more);
	if (str_eq(verb, STR("heal")))
		memset(w.cut, 0, sizeof(w.cut));
	else if (str_eq(verb, STR("show")))
		show();
	else if (str_eq(verb, STR("quiet")))
		w.faults.no_close = 1000;
	else if (str_eq(verb, STR("frames")))
		w.small_frames = true;
	else if (parse_i32(arg, &a) != ERR_OK || (more.n > 0 && parse_i32(more, &b) != ERR_OK))
		return false;
	else
		return run_one(verb, a) || run_two(verb, a, b);
	return true;
}

static void perform(const char *path, struct str script, struct text *tale)
{
	struct str line;

	w.tale = tale;
	begin(3, 3);
	while (str_cut(&script, '\n', &line)) {
		struct str s = str_trim(line);

		if (s.n == 0 || s.at[0] == '#')
			continue;
		if (!run_line(s))
			FAIL("%s: this cannot happen: %.*s", path, (int)s.n, s.at);
	}
	if (w.wrong[0] != 0)
		FAIL("%s: %s", path, w.wrong);
	raftworld_fini(&w);
	w.n = 0;
}

TEST(raft_stories)
{
	tales_run("tests/story/raft", perform);
}
