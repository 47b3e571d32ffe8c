/* The metadata log on a disk in memory: rounds, crashes at every byte, rot, snapshots. */
#include "controller/server/mlog.h"

#include "controller/server/mlog_disk.h"
#include "tests/lib/fakefiles.h"
#include "tests/lib/test.h"

#include <stdio.h>

#define DIR "/meta"

struct rig {
	struct fakefs fs;
	struct job *jobs; /* submitted, oldest first */
	struct mlog *log;
	int64_t seq, end_of[1024]; /* numbers given out, and where the log ended then */
	int64_t committed, promised, replayed, snapshot_records, first_level;
	int fails;
	char why[512];
	int64_t snapshot_bytes;
	int freed, installs;
};

static struct rig *rig; /* of the running test, for the env's calls */

static void rig_submit(struct env *env, struct job *j)
{
	struct job **last = &rig->jobs;

	(void)env;
	while (*last != NULL)
		last = &(*last)->next;
	j->next = NULL;
	*last = j;
}

static const struct env_ops ops = { .submit = rig_submit };

static bool run_job(void)
{
	struct job *j = rig->jobs;

	if (j == NULL)
		return false;
	rig->jobs = j->next;
	j->work(j);
	j->done(j);
	return true;
}

static void on_persisted(void *arg, int64_t seq)
{
	struct rig *r = arg;

	EXPECT(seq <= r->seq);
	r->committed = r->end_of[seq];
}

static void on_failed(void *arg, enum err e)
{
	struct rig *r = arg;

	EXPECT(e != ERR_OK);
	r->fails++;
}

static void on_replay(void *arg, int64_t offset, const Weir__MetadataRecord *m)
{
	struct rig *r = arg;

	EXPECT(offset > 0);
	EXPECT_EQ(m->body_case, WEIR__METADATA_RECORD__BODY_FEATURE);
	r->snapshot_records++;
}

static void on_installed(void *arg)
{
	struct rig *r = arg;

	r->installs++;
}

static const struct mlog_events events = { on_persisted, on_failed, on_replay, on_installed };

static void rig_init(struct rig *r)
{
	rig = r;
	*r = (struct rig){ .snapshot_bytes = 1 << 20 };
	fakefs_init(&r->fs, 1);
	r->fs.env.ops = &ops;
	EXPECT_OK(r->fs.env.files->mkdir(&r->fs.env, DIR));
}

static void look_at_records(struct rig *r)
{
	Weir__MetadataRecord *m;

	r->committed = r->end_of[0] = mlog_end(r->log);
	r->replayed = mlog_end(r->log) - mlog_start(r->log);
	for (int64_t at = mlog_start(r->log); at < mlog_end(r->log); at++) {
		const struct mlog_entry *e = mlog_entry(r->log, at);

		m = weir__metadata_record__unpack(NULL, e->n, e->at);
		EXPECT_EQ(m->feature->level, at);
		if (at == mlog_start(r->log))
			r->first_level = m->feature->level;
		weir__metadata_record__free_unpacked(m, NULL);
	}
}

static enum err rig_open(struct rig *r)
{
	struct mlog_options o = { DIR, r->snapshot_bytes };
	enum err e;

	r->replayed = r->snapshot_records = 0;
	r->why[0] = 0;
	e = mlog_open(&r->fs.env, &o, &events, r, &r->log, r->why, sizeof(r->why));
	r->seq = 0;
	if (e == ERR_OK)
		look_at_records(r);
	else
		r->log = NULL;
	EXPECT(e == ERR_OK || r->why[0] != 0);
	return e;
}

static void rig_close(struct rig *r)
{
	while (run_job()) {
	}
	mlog_close(r->log);
	r->log = NULL;
}

static void rig_fini(struct rig *r)
{
	rig_close(r);
	fakefs_fini(&r->fs);
}

static void written(struct rig *r)
{
	ASSERT(r->seq + 1 < (int64_t)ARRAY_LEN(r->end_of));
	r->end_of[++r->seq] = mlog_end(r->log);
	mlog_write(r->log, r->seq);
}

/* n records as one batch; a record's level is its offset. */
static void append_in(struct rig *r, int64_t epoch, int n)
{
	Weir__MetadataRecord m[16], *v[16];
	Weir__FeatureRecord f[16];
	char name[] = "feature";

	for (int i = 0; i < n; i++) {
		f[i] = (Weir__FeatureRecord)WEIR__FEATURE_RECORD__INIT;
		f[i].name = name;
		f[i].level = (int32_t)(mlog_end(r->log) + i);
		m[i] = (Weir__MetadataRecord)WEIR__METADATA_RECORD__INIT;
		m[i].body_case = WEIR__METADATA_RECORD__BODY_FEATURE;
		m[i].feature = &f[i];
		v[i] = &m[i];
	}
	(void)mlog_append(r->log, epoch, v, n);
	written(r);
}

static void append(struct rig *r, int n)
{
	append_in(r, 1, n);
}

static struct file *file_at(struct rig *r, int64_t base)
{
	struct file *f = NULL;
	char path[256];

	mlog_path(DIR, MLOG_LOG, base, path, sizeof(path));
	EXPECT_OK(r->fs.env.files->open(&r->fs.env, path, FILE_READ | FILE_WRITE, &f));
	return f;
}

static int64_t file_size(struct rig *r, int64_t base)
{
	struct file *f = file_at(r, base);
	int64_t n = 0;

	EXPECT_OK(f->ops->size(f, &n));
	file_put(f);
	return n;
}

static void flip(struct rig *r, int64_t base, int64_t at)
{
	struct file *f = file_at(r, base);
	uint8_t byte;
	size_t got;

	EXPECT_OK(f->ops->read(f, &byte, 1, at, &got));
	byte ^= 0x40;
	EXPECT_OK(f->ops->writev(f, &(struct file_iov){ &byte, 1 }, 1, at));
	file_put(f);
}

static void cut(struct rig *r, int64_t base, int64_t n)
{
	struct file *f = file_at(r, base);

	EXPECT_OK(f->ops->truncate(f, n));
	file_put(f);
}

TEST(what_is_committed_is_there_after_a_restart)
{
	struct rig r;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	append(&r, 1);
	append(&r, 3);
	EXPECT_EQ(r.committed, 0);
	EXPECT_EQ(mlog_end(r.log), 4);
	while (run_job()) {
	}
	EXPECT_EQ(r.committed, 4);
	rig_close(&r);
	for (int i = 0; i < 2; i++) {
		EXPECT_OK(rig_open(&r));
		EXPECT_EQ(r.replayed, 4 + i);
		append(&r, 1);
		rig_close(&r);
	}
	rig_fini(&r);
}

TEST(what_arrives_during_a_sync_shares_the_next_one)
{
	struct rig r;
	int64_t syncs;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	append(&r, 1);
	EXPECT(run_job());
	syncs = r.fs.syncs;
	append(&r, 1);
	for (int i = 0; i < 10; i++)
		append(&r, 2);
	EXPECT(run_job());
	EXPECT_EQ(r.committed, 2);
	EXPECT(run_job());
	EXPECT_EQ(r.committed, 22);
	EXPECT(!run_job());
	EXPECT_EQ(r.fs.syncs - syncs, 2);
	rig_fini(&r);
}

TEST(a_failed_sync_is_final)
{
	struct rig r;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	append(&r, 1);
	EXPECT(run_job());
	r.fs.fail_kinds = FAKE_SYNC;
	r.fs.fail_after = 0;
	append(&r, 1);
	EXPECT(run_job());
	EXPECT_EQ(r.fails, 1);
	EXPECT_EQ(r.committed, 1);
	EXPECT(!run_job());
	rig_fini(&r);
}

/* Torn anywhere: what is left is a whole number of batches, and the log goes on from there. */
TEST(a_log_cut_at_any_byte_keeps_whole_batches)
{
	struct rig r;
	int64_t full;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	append(&r, 2);
	append(&r, 3);
	append(&r, 1);
	rig_close(&r);
	full = file_size(&r, 0);
	for (int64_t n = full; n >= 0; n--) {
		cut(&r, 0, n);
		EXPECT_OK(rig_open(&r));
		if (r.replayed != 0 && r.replayed != 2 && r.replayed != 5 && r.replayed != 6)
			FAIL("cut to %d bytes: %d records", (int)n, (int)r.replayed);
		rig_close(&r);
	}
	EXPECT_OK(rig_open(&r));
	append(&r, 2);
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(r.replayed, 2);
	rig_fini(&r);
}

/* Any flipped bit: in what a later entry says was durable it is refused, in the last round it is
 * taken for a torn write. */
TEST(rot_below_the_durable_end_is_refused)
{
	struct rig r;
	int64_t durable, full;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	append(&r, 2);
	while (run_job()) {
	}
	append(&r, 1);
	while (run_job()) {
	}
	durable = file_size(&r, 0);
	append(&r, 1);
	rig_close(&r);
	full = file_size(&r, 0);
	for (int64_t at = 0; at < full; at++) {
		enum err e;

		flip(&r, 0, at);
		e = rig_open(&r);
		if (at < durable && e != ERR_CORRUPT)
			FAIL("byte %d: %s", (int)at, err_text(e));
		if (at >= durable && (e != ERR_OK || r.replayed != 3))
			FAIL("byte %d: %s, %d records", (int)at, err_text(e), (int)r.replayed);
		if (e == ERR_OK) {
			append(&r, 1);
			rig_close(&r);
		} else {
			flip(&r, 0, at);
		}
	}
	rig_fini(&r);
}

static void dump_two(void *state, void (*each)(void *arg, const Weir__MetadataRecord *), void *arg)
{
	Weir__MetadataRecord m = WEIR__METADATA_RECORD__INIT;
	Weir__FeatureRecord f = WEIR__FEATURE_RECORD__INIT;

	(void)state;
	f.name = (char[]){ "feature" };
	m.body_case = WEIR__METADATA_RECORD__BODY_FEATURE;
	m.feature = &f;
	each(arg, &m);
	each(arg, &m);
}

static void freed(struct mlog_snapshot *s)
{
	rig->freed += s->result == ERR_OK;
}

static void take_snapshot(struct rig *r, struct mlog_snapshot *s)
{
	*s = (struct mlog_snapshot){
		.offset = r->committed, .epoch = 1, .dump = dump_two, .freed = freed
	};
	EXPECT(mlog_wants_snapshot(r->log));
	mlog_snapshot(r->log, s);
	EXPECT(!mlog_wants_snapshot(r->log));
}

/* One life until the power fails; the snapshot is of nothing in particular. */
static void live(struct rig *r, struct prng *p)
{
	struct mlog_snapshot s;
	bool is_taken = false;

	for (uint64_t i = prng_below(p, 30); i > 0; i--) {
		append(r, 1 + (int)prng_below(p, 4));
		if (prng_chance(p, 1, 2))
			(void)run_job();
		if (!is_taken && mlog_wants_snapshot(r->log)) {
			take_snapshot(r, &s);
			is_taken = true;
		}
	}
	while (r->jobs != NULL && prng_chance(p, 1, 2))
		(void)run_job();
	r->promised = r->committed;
	fakefs_power_loss(&r->fs);
	r->fs.fail_kinds = FAKE_ANY; /* what was under way comes to nothing */
	r->fs.fail_after = 0;
	rig_close(r);
	r->fs.fail_after = -1;
}

/* The power fails at any moment: nothing that was called committed is gone. */
TEST(power_loss_takes_nothing_that_was_committed)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct rig r;
		struct prng p;

		rig_init(&r);
		prng_seed(&p, seed);
		r.snapshot_bytes = 600;
		for (int life = 0; life < 6; life++) {
			EXPECT_OK(rig_open(&r));
			if (r.log == NULL || mlog_end(r.log) < r.promised) {
				FAIL("seed %d, life %d: %s", (int)seed, life, r.why);
				break;
			}
			live(&r, &p);
		}
		rig_fini(&r);
	}
}

TEST(a_snapshot_replaces_the_log_before_it)
{
	struct mlog_snapshot s, again;
	struct rig r;
	char path[256];

	rig_init(&r);
	r.snapshot_bytes = 300;
	EXPECT_OK(rig_open(&r));
	append(&r, 10);
	while (run_job()) {
	}
	take_snapshot(&r, &s);
	append(&r, 3); /* while it is being written */
	while (run_job()) {
	}
	EXPECT_EQ(r.freed, 1);
	EXPECT_EQ(mlog_start(r.log), 10);
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(r.snapshot_records, 2);
	EXPECT_EQ(r.replayed, 3);
	EXPECT_EQ(mlog_end(r.log), 13);
	append(&r, 10);
	while (run_job()) {
	}
	take_snapshot(&r, &again);
	append(&r, 1);
	rig_close(&r);
	mlog_path(DIR, MLOG_SNAPSHOT, 10, path, sizeof(path));
	EXPECT_EQ(r.fs.env.files->unlink(&r.fs.env, path), ERR_NOT_FOUND);
	mlog_path(DIR, MLOG_LOG, 0, path, sizeof(path));
	EXPECT_EQ(r.fs.env.files->unlink(&r.fs.env, path), ERR_NOT_FOUND);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(mlog_end(r.log), 24);
	EXPECT_EQ(r.snapshot_records, 2);
	EXPECT_EQ(r.replayed, 1);
	EXPECT_EQ(r.first_level, 23);
	rig_fini(&r);
}

/* For those who lag a little; a restart begins with the snapshot. */
TEST(the_last_batches_before_a_snapshot_stay_in_memory)
{
	struct mlog_snapshot s;
	struct rig r;

	rig_init(&r);
	r.snapshot_bytes = 1600;
	EXPECT_OK(rig_open(&r));
	for (int i = 0; i < 20; i++)
		append_in(&r, i < 17 ? 1 : 2, 2);
	while (run_job()) {
	}
	take_snapshot(&r, &s);
	while (run_job()) {
	}
	EXPECT(mlog_start(r.log) > 30 && mlog_start(r.log) < 40);
	EXPECT_EQ(mlog_start(r.log) % 2, 0);
	EXPECT_EQ(mlog_start_epoch(r.log), mlog_start(r.log) <= 34 ? 1 : 2);
	EXPECT_EQ(mlog_entry(r.log, mlog_start(r.log))->left, 1);
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(mlog_start(r.log), 40);
	EXPECT_EQ(mlog_end(r.log), 40);
	rig_fini(&r);
}

TEST(a_damaged_snapshot_is_refused)
{
	struct mlog_snapshot s;
	struct rig r;
	struct file *f;
	char path[256];
	int64_t n = 0;

	rig_init(&r);
	r.snapshot_bytes = 100;
	EXPECT_OK(rig_open(&r));
	append(&r, 10);
	while (run_job()) {
	}
	take_snapshot(&r, &s);
	rig_close(&r);
	mlog_path(DIR, MLOG_SNAPSHOT, 10, path, sizeof(path));
	EXPECT_OK(r.fs.env.files->open(&r.fs.env, path, FILE_READ | FILE_WRITE, &f));
	EXPECT_OK(f->ops->size(f, &n));
	for (int64_t at = 0; at < n; at++) {
		uint8_t byte, was;
		size_t got;

		EXPECT_OK(f->ops->read(f, &was, 1, at, &got));
		byte = was ^ 1;
		EXPECT_OK(f->ops->writev(f, &(struct file_iov){ &byte, 1 }, 1, at));
		if (rig_open(&r) != ERR_CORRUPT)
			FAIL("byte %d", (int)at);
		EXPECT_OK(f->ops->writev(f, &(struct file_iov){ &was, 1 }, 1, at));
	}
	file_put(f);
	EXPECT_OK(rig_open(&r));
	rig_fini(&r);
}

/* ---- a follower's log ------------------------------------------------------------------------ */

/* What a leader takes back is gone for good, and what it says instead is there. */
TEST(a_cut_is_durable_before_it_is_told)
{
	for (int64_t to = 0; to <= 9; to += 3)
		for (int gathered = 0; gathered < 2; gathered++) {
			struct rig r;

			rig_init(&r);
			EXPECT_OK(rig_open(&r));
			append(&r, 3);
			append(&r, 3);
			while (!gathered && run_job()) {
			}
			append(&r, 3);
			mlog_truncate(r.log, to);
			written(&r);
			while (run_job()) {
			}
			EXPECT_EQ(r.committed, to);
			append_in(&r, 2, 2);
			while (run_job()) {
			}
			EXPECT_EQ(r.committed, to + 2);
			fakefs_power_loss(&r.fs);
			rig_close(&r);
			EXPECT_OK(rig_open(&r));
			EXPECT_EQ(mlog_end(r.log), to + 2);
			EXPECT_EQ(mlog_entry(r.log, to)->epoch, 2);
			rig_fini(&r);
		}
}

/* A file begins after each snapshot; the cut may reach back into the one before. */
TEST(a_cut_reaches_into_an_older_file)
{
	struct mlog_snapshot s;
	struct rig r;

	rig_init(&r);
	r.snapshot_bytes = 300;
	EXPECT_OK(rig_open(&r));
	append(&r, 10);
	while (run_job()) {
	}
	append(&r, 2);
	append(&r, 2);
	while (run_job()) {
	}
	r.committed = 10; /* no majority has the rest */
	take_snapshot(&r, &s);
	append(&r, 1);
	while (run_job()) {
	}
	mlog_truncate(r.log, 12);
	written(&r);
	append_in(&r, 2, 1);
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(mlog_end(r.log), 13);
	EXPECT_EQ(mlog_entry(r.log, 11)->epoch, 1);
	EXPECT_EQ(mlog_entry(r.log, 12)->epoch, 2);
	rig_fini(&r);
}

/* Exactly where a file begins: the file goes, the one before it ends there already. */
TEST(a_cut_between_two_files)
{
	struct mlog_snapshot s;
	struct rig r;

	rig_init(&r);
	r.snapshot_bytes = 300;
	EXPECT_OK(rig_open(&r));
	append(&r, 10);
	append(&r, 2);
	while (run_job()) {
	}
	r.committed = 10;
	take_snapshot(&r, &s);
	append(&r, 3);
	while (run_job()) {
	}
	EXPECT(file_size(&r, 12) > MLOG_HEADER);
	mlog_truncate(r.log, 12);
	written(&r);
	append_in(&r, 2, 1);
	while (run_job()) {
	}
	EXPECT_EQ(r.fails, 0);
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(mlog_end(r.log), 13);
	EXPECT_EQ(mlog_entry(r.log, 12)->epoch, 2);
	rig_fini(&r);
}

TEST(records_go_from_log_to_log_as_they_are)
{
	struct rig r;
	uint8_t *bytes;
	size_t n;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	append(&r, 2);
	append(&r, 3);
	append(&r, 1);
	EXPECT_EQ(mlog_fit(r.log, 0, 6, 1 << 20), 6);
	EXPECT_EQ(mlog_fit(r.log, 0, 6, 1), 2);
	EXPECT_EQ(mlog_fit(r.log, 2, 6, 1), 5);
	EXPECT_EQ(mlog_fit(r.log, 0, 5, (int64_t)mlog_raw_size(r.log, 0, 5)), 5);
	EXPECT_EQ(mlog_fit(r.log, 0, 6, (int64_t)mlog_raw_size(r.log, 0, 6) - 1), 5);
	n = mlog_raw_size(r.log, 0, 6);
	bytes = mem_alloc(n);
	mlog_raw(r.log, 0, 6, bytes);
	EXPECT_OK(mlog_check_raw(bytes, n, 0, 6));
	EXPECT_EQ(mlog_check_raw(bytes, n, 1, 7), ERR_CORRUPT);
	EXPECT_EQ(mlog_check_raw(bytes, n - 1, 0, 6), ERR_CORRUPT);
	for (size_t at = 0; at < n; at++) {
		bytes[at] ^= 4;
		EXPECT_EQ(mlog_check_raw(bytes, n, 0, 6), ERR_CORRUPT);
		bytes[at] ^= 4;
	}
	mlog_truncate(r.log, 0);
	mlog_append_raw(r.log, bytes, n);
	written(&r);
	rig_close(&r);
	mem_free(bytes);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(mlog_end(r.log), 6);
	EXPECT_EQ(mlog_entry(r.log, 0)->left, 1);
	rig_fini(&r);
}

static void count_record(void *state, const Weir__MetadataRecord *m)
{
	(void)m;
	++*(int *)state;
}

/* Carries a's snapshot over to b in pieces. */
static void carry(struct rig *a, struct rig *b)
{
	bool is_last = false;
	uint8_t piece[50];

	for (int64_t at = 0; !is_last;) {
		size_t n = sizeof(piece);

		rig = a;
		EXPECT_OK(mlog_load(a->log, at, piece, &n, &is_last));
		rig = b;
		EXPECT_OK(mlog_store(b->log, at, piece, n));
		at += (int64_t)n;
	}
}

/* A crash at any call on the way leaves the old log or the new one. */
TEST(a_snapshot_from_the_leader_replaces_the_log)
{
	for (int fail = -1; fail < 40; fail++) {
		struct mlog_snapshot s;
		struct rig a, b;
		int records = 0;
		struct mlog_install in = { 10, 1, &records, count_record };

		rig_init(&a);
		a.snapshot_bytes = 100;
		EXPECT_OK(rig_open(&a));
		append(&a, 10);
		while (run_job()) {
		}
		take_snapshot(&a, &s);
		while (run_job()) {
		}
		rig_init(&b);
		EXPECT_OK(rig_open(&b));
		append_in(&b, 7, 4); /* of another history */
		append_in(&b, 7, 9);
		while (run_job()) {
		}
		carry(&a, &b);
		b.fs.fail_kinds = FAKE_ANY;
		b.fs.fail_after = fail;
		mlog_install(b.log, &in);
		while (run_job()) {
		}
		EXPECT(b.fails == 1 || (b.installs == 1 && records == 2));
		if (fail >= 0)
			fakefs_power_loss(&b.fs);
		b.fs.fail_after = -1;
		rig_close(&b);
		EXPECT_OK(rig_open(&b));
		if (b.installs == 1 || mlog_end(b.log) != 13) {
			EXPECT_EQ(mlog_end(b.log), 10);
			EXPECT_EQ(mlog_start(b.log), 10);
			EXPECT_EQ(mlog_start_epoch(b.log), 1);
			EXPECT_EQ(b.snapshot_records, 2);
		}
		append(&b, 1);
		rig_close(&b);
		EXPECT_OK(rig_open(&b));
		EXPECT(mlog_end(b.log) == 11 || mlog_end(b.log) == 14);
		rig_fini(&b);
		rig = &a;
		rig_fini(&a);
	}
}

/* ---- quorum-state ---------------------------------------------------------------------------- */

static void put_term(struct rig *r, int64_t term)
{
	Weir__QuorumState m = WEIR__QUORUM_STATE__INIT;

	m.term = term;
	m.has_vote = true;
	m.vote = (int32_t)term;
	mlog_put_state(r->log, &m);
	written(r);
}

/* Torn at any byte: the state before, or the new one; never none, never a mixture. */
TEST(a_vote_that_was_told_is_never_forgotten)
{
	for (uint64_t seed = 1; seed <= 1000; seed++) {
		struct rig r;
		struct prng p;
		int64_t told = 0;

		rig_init(&r);
		prng_seed(&p, seed);
		EXPECT_OK(r.fs.env.files->sync_dir(&r.fs.env, "/"));
		prng_seed(&r.fs.env.prng, seed); /* of where a write is torn */
		for (int life = 0; life < 5; life++) {
			int64_t term;

			EXPECT_OK(rig_open(&r));
			EXPECT(told == 0 || mlog_state(r.log) != NULL);
			term = mlog_state(r.log) != NULL ? mlog_state(r.log)->term : 0;
			if (mlog_state(r.log) != NULL)
				EXPECT_EQ(mlog_state(r.log)->vote, term);
			EXPECT(term >= told);
			for (uint64_t i = prng_below(&p, 5); i > 0; i--) {
				put_term(&r, ++term);
				if (prng_chance(&p, 1, 2) && run_job() && r.jobs == NULL)
					told = term;
			}
			/* Dead within a last round: written, maybe, and not synced. */
			put_term(&r, ++term);
			r.fs.fail_kinds = FAKE_ANY;
			r.fs.fail_after = (int)prng_below(&p, 3);
			(void)run_job();
			fakefs_power_loss(&r.fs);
			r.fs.fail_after = 0;
			rig_close(&r);
			r.fs.fail_after = -1;
		}
		rig_fini(&r);
	}
}
