#include "tests/sim/settings.h"

#include <stdio.h>

#include "common/base/text.h"
#include "tests/sim/fuzz.h"

#define HOUR_US 3600000000
#define NEVER_US INT64_MAX

enum field_kind {
	FIELD_COUNT,
	FIELD_OFFSET,
	FIELD_FLAG,
	FIELD_US,
	FIELD_MS,
	FIELD_RATE,
	FIELD_CONF
};
struct field {
	const char *name;
	enum field_kind kind;
	size_t at;
	int64_t min, max; /* of counts */
	const char *doc;  /* NULL: not for users */
};
#define AT(member) offsetof(struct swarm, member)
#define RATE(kind) offsetof(struct swarm, every_us) + (kind) * sizeof(int64_t)

static const struct field fields[] = {
	/* the cluster */
	{ "controllers", FIELD_COUNT, AT(controllers), 1, SIM_CONTROLLERS_MAX, "1, 3 or 5" },
	{ "brokers", FIELD_COUNT, AT(brokers), 1, SIM_BROKERS_MAX, "how many" },
	{ "shards", FIELD_COUNT, AT(shards), 1, WORLD_ACTORS_MAX, "threads of each broker" },
	{ "log-dirs", FIELD_COUNT, AT(log_dirs), 1, SIM_LOG_DIRS_MAX, "of each broker" },
	{ "topics", FIELD_COUNT, AT(topics), 1, SIM_TOPICS_MAX - 1, "how many" },
	{ "partitions", FIELD_COUNT, AT(partitions), 1, SIM_PARTITIONS_MAX, "of each topic" },
	{ "rf", FIELD_COUNT, AT(rf), 1, SIM_BROKERS_MAX, "replicas of each partition" },
	{ "min-isr", FIELD_COUNT, AT(min_isr), 1, SIM_BROKERS_MAX, "min.insync.replicas" },
	{ "unclean", FIELD_FLAG, AT(is_unclean), 0, 1,
	  "yes: unclean elections, which may lose records" },
	{ "heartbeat", FIELD_MS, AT(heartbeat_ms), 10, 60000, "broker.heartbeat.interval.ms" },
	{ "session", FIELD_MS, AT(session_ms), 100, INT32_MAX, "broker.session.timeout.ms" },
	{ "patience", FIELD_MS, AT(patience_ms), 10, 60000, "controller.quorum.fetch.timeout.ms" },
	{ "lag", FIELD_MS, AT(lag_ms), 1, INT32_MAX, "replica.lag.time.max.ms" },
	{ "roll", FIELD_MS, AT(roll_ms), 1, INT32_MAX, "log.roll.ms" },
	{ "retention", FIELD_MS, AT(retention_ms), -1, INT32_MAX, "retention.ms; -1: for ever" },
	{ "set", FIELD_CONF, 0, 0, 0, "any option: broker:NAME=VALUE, topic:..., controller:..." },
	/* the past */
	{ "first-record", FIELD_OFFSET, AT(past.record), 0, 0,
	  "the metadata log has had so many; 0: a new cluster" },
	{ "first-term", FIELD_OFFSET, AT(past.term), 0, 0, "of the controllers" },
	{ "first-producer-id", FIELD_OFFSET, AT(past.producer_id), 0, 0, "that is free" },
	{ "first-epoch", FIELD_OFFSET, AT(past.epoch), 0, 0, "of every partition's leader" },
	{ "first-offset", FIELD_OFFSET, AT(past.offset), 0, 0, "that a partition still has" },
	{ "first-base", FIELD_OFFSET, AT(past.base), 0, 0,
	  "of the segment before it; at most 2147483647 less" },
	/* the load */
	{ "producers", FIELD_COUNT, AT(producers), 1, SIM_PRODUCERS_MAX, "how many" },
	{ "batches", FIELD_COUNT, AT(batches), 1, 1000000, "that each producer sends" },
	{ "think", FIELD_US, AT(pause_us), 1, HOUR_US,
	  "a producer's mean pause; otherwise --for over --batches" },
	{ "move-rate", FIELD_RATE, AT(move_us), 0, 0,
	  "partitions that are given other replicas, or called back" },
	{ "dir-move-rate", FIELD_RATE, AT(dir_move_us), 0, 0,
	  "replicas that are moved to another log directory" },
	{ "change-rate", FIELD_RATE, AT(operate_us), 0, 0,
	  "topics whose configs, partitions or first records change" },
	{ "passing", FIELD_FLAG, AT(has_passing), 0, 1,
	  "yes: a topic more, deleted and created again" },
	/* the time */
	{ "for", FIELD_US, AT(safety_us), 1, HOUR_US, "how long the faults last" },
	{ "recover-in", FIELD_US, AT(liveness_us), 1, HOUR_US,
	  "how long it may then take to be whole" },
	/* the faults */
	{ "kill-rate", FIELD_RATE, RATE(FAULT_KILL), 0, 0, "kill -9" },
	{ "stop-rate", FIELD_RATE, RATE(FAULT_STOP), 0, 0, "controlled shutdowns" },
	{ "power-rate", FIELD_RATE, RATE(FAULT_POWER), 0, 0,
	  "power losses: what was not synced may be gone" },
	{ "pause-rate", FIELD_RATE, RATE(FAULT_PAUSE), 0, 0, "processes that stand still" },
	{ "slow-rate", FIELD_RATE, RATE(FAULT_SLOW), 0, 0, "slow processors" },
	{ "cut-rate", FIELD_RATE, RATE(FAULT_CUT), 0, 0, "partitions of the network" },
	{ "clog-rate", FIELD_RATE, RATE(FAULT_CLOG), 0, 0, "connections that stall" },
	{ "reset-rate", FIELD_RATE, RATE(FAULT_RESET), 0, 0, "connections that are reset" },
	{ "lose-rate", FIELD_RATE, RATE(FAULT_LOSE), 0, 0,
	  "connections that are gone while both ends believe in them" },
	{ "sip-rate", FIELD_RATE, RATE(FAULT_SIP), 0, 0, "machines that hardly read" },
	{ "deaf-rate", FIELD_RATE, RATE(FAULT_DEAF), 0, 0, "machines that accept no connection" },
	{ "clock-rate", FIELD_RATE, RATE(FAULT_CLOCK), 0, 0, "wall clocks that jump" },
	{ "full-rate", FIELD_RATE, RATE(FAULT_FULL), 0, 0, "full disks" },
	{ "write-rate", FIELD_RATE, RATE(FAULT_WRITE), 0, 0, "disks whose writes fail" },
	{ "sync-rate", FIELD_RATE, RATE(FAULT_SYNC), 0, 0, "disks whose syncs fail" },
	{ "evict-rate", FIELD_RATE, RATE(FAULT_EVICT), 0, 0,
	  "page caches that give up what a failed sync lost" },
	{ "rot-rate", FIELD_RATE, RATE(FAULT_ROT), 0, 0, "sectors that go bad" },
	{ "misdirect-rate", FIELD_RATE, RATE(FAULT_MISDIRECT), 0, 0,
	  "sectors that are written to the wrong place" },
	{ "read-rate", FIELD_RATE, RATE(FAULT_READ), 0, 0, "disks whose reads fail" },
	{ "drag-rate", FIELD_RATE, RATE(FAULT_DRAG), 0, 0, "disks that are slow" },
	{ "hang-rate", FIELD_RATE, RATE(FAULT_HANG), 0, 0, "disks that do not answer" },
	{ "unregister-rate", FIELD_RATE, RATE(FAULT_UNREGISTER), 0, 0,
	  "brokers that the operator unregisters while they run" },
	{ "wipe-rate", FIELD_RATE, RATE(FAULT_WIPE), 0, 0, "controllers that lose their disk" },
	{ "voter-rate", FIELD_RATE, RATE(FAULT_VOTER), 0, 0,
	  "controllers whose vote the operator takes, or gives back" },
	{ "dir-rate", FIELD_RATE, RATE(FAULT_DIR), 0, 0,
	  "log directories, one of several, that fail altogether" },
	/* the weather */
	{ "latency", FIELD_US, AT(latency_us), 0, HOUR_US, "of the network" },
	{ "jitter", FIELD_US, AT(jitter_us), 0, HOUR_US, "the same, on top by chance" },
	{ "turn", FIELD_US, AT(turn_us), 1, HOUR_US, "how long a thread may take to notice" },
	{ "job", FIELD_US, AT(job_us), 1, HOUR_US, "how long a sync may wait for a thread" },
};

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{ "h", HOUR_US }, { "m", 60000000 }, { "min", 60000000 },
	{ "s", 1000000 }, { "ms", 1000 },    { "us", 1 },
};

/* ---- reading -------------------------------------------------------------------------------- */

static bool parse_us(struct str s, int64_t *out)
{
	size_t digits = s.n;

	while (digits > 0 && (s.at[digits - 1] < '0' || s.at[digits - 1] > '9'))
		digits--;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct str unit = { s.at + digits, s.n - digits };

		if (!str_eq(unit, str_of(units[i].name)))
			continue;
		if (parse_i64((struct str){ s.at, digits }, out) || *out < 0 ||
		    *out > NEVER_US / units[i].us)
			return false;
		*out *= units[i].us;
		return true;
	}
	return parse_i64(s, out) == ERR_OK && *out == 0;
}

/* As the mean pause. */
static bool parse_rate(struct str s, int64_t *out)
{
	struct str count, one = { "1", 1 };
	int64_t n, us;
	char unit[8];

	if (!memchr(s.at, '/', s.n))
		return parse_us(s, out);
	if (!str_cut(&s, '/', &count) || parse_i64(count, &n) || n < 0 || s.n > 4)
		return false;
	snprintf(unit, sizeof(unit), "%.*s%.*s", (int)one.n, one.at, (int)s.n, s.at);
	if (!parse_us(str_of(unit), &us))
		return false;
	*out = n > 0 ? us / n : 0;
	return n == 0 || *out > 0;
}

static bool parse_flag(struct str s, bool *out)
{
	*out = str_eq(s, STR("yes")) || str_eq(s, STR("true")) || str_eq(s, STR("1"));
	return *out || str_eq(s, STR("no")) || str_eq(s, STR("false")) || str_eq(s, STR("0"));
}

static bool parse_ms(const struct field *f, struct str s, int64_t *out)
{
	if (f->min < 0 && str_eq(s, STR("-1"))) {
		*out = -1;
		return true;
	}
	if (!parse_us(s, out) || *out % 1000 != 0)
		return false;
	*out /= 1000;
	return *out >= f->min && *out <= f->max;
}

static bool set(const struct field *f, void *at, struct str value)
{
	int64_t n;

	switch (f->kind) {
	case FIELD_COUNT:
		if (parse_i64(value, &n) || n < f->min || n > f->max)
			return false;
		*(int *)at = (int)n;
		return true;
	case FIELD_OFFSET: return parse_i64(value, at) == ERR_OK && *(int64_t *)at >= 0;
	case FIELD_FLAG: return parse_flag(value, at);
	case FIELD_US: return parse_us(value, at) && *(int64_t *)at >= f->min;
	case FIELD_MS: return parse_ms(f, value, at);
	case FIELD_RATE: return parse_rate(value, at);
	case FIELD_CONF: return fuzz_add(at, value.at);
	}
	UNREACHABLE();
}

static const struct field *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

bool settings_set(struct swarm *s, const char *name, const char *value)
{
	const struct field *f = find(name);

	return f && set(f, (char *)s + f->at, str_of(value));
}

static void say_wanted(const struct setting *v, char *why, size_t cap)
{
	const struct field *f = find(v->name);
	struct text t;

	text_init(&t, why, cap);
	if (!f) {
		text_printf(&t, "there is no --%s: weir-sim --help has all", v->name);
		return;
	}
	text_printf(&t, "--%s %s: it wants ", v->name, v->value);
	switch (f->kind) {
	case FIELD_COUNT:
		text_printf(&t, "%lld to %lld", (long long)f->min, (long long)f->max);
		break;
	case FIELD_OFFSET: text_printf(&t, "a number, 0 or more"); break;
	case FIELD_FLAG: text_printf(&t, "yes or no"); break;
	case FIELD_US:
	case FIELD_MS: text_printf(&t, "a TIME in its range, like 250ms or 10s"); break;
	case FIELD_RATE: text_printf(&t, "a RATE, like 20/min"); break;
	case FIELD_CONF:
		text_printf(&t, "broker:NAME=VALUE, topic:NAME=VALUE or controller:NAME=VALUE, of "
				"an option that there is");
		break;
	}
}

static bool has(const struct setting *v, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return true;
	return false;
}

static bool is_rate(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcmp(name + n - 5, "-rate") == 0;
}

static void lower(int *v, int max)
{
	*v = *v < max ? *v : max;
}

/* Who names some faults wants those and no others. */
static void give_way(struct swarm *s, const struct setting *v, int n)
{
	bool is_rated = false;

	for (int i = 0; i < n; i++)
		is_rated |= is_rate(v[i].name);
	if (is_rated)
		memset(s->every_us, 0, sizeof(s->every_us));
}

static void fit(struct swarm *s, const struct setting *v, int n)
{
	if (!has(v, n, "brokers") && s->brokers < s->rf)
		s->brokers = s->rf;
	if (!has(v, n, "rf"))
		lower(&s->rf, s->brokers);
	if (!has(v, n, "rf") && has(v, n, "min-isr") && s->rf < s->min_isr)
		s->rf = s->min_isr;
	if (!has(v, n, "brokers") && s->brokers < s->rf)
		s->brokers = s->rf;
	if (!has(v, n, "min-isr"))
		lower(&s->min_isr, s->rf);
	if (!has(v, n, "producers") && s->producers < s->topics)
		s->producers = s->topics;
	if (!has(v, n, "topics"))
		lower(&s->topics, s->producers);
	past_fit(&s->past);
	if (!has(v, n, "think"))
		s->pause_us = i64_max(1, s->safety_us / s->batches);
}

bool settings_apply(struct swarm *s, const struct setting *v, int n, char *why, size_t cap)
{
	give_way(s, v, n);
	for (int i = 0; i < n; i++)
		if (!settings_set(s, v[i].name, v[i].value)) {
			say_wanted(&v[i], why, cap);
			return false;
		}
	fit(s, v, n);
	if (s->rf > s->brokers)
		snprintf(why, cap, "--rf %d needs as many brokers; there are %d", s->rf,
			 s->brokers);
	else if (s->min_isr > s->rf)
		snprintf(why, cap, "--min-isr %d is more than the %d replicas", s->min_isr, s->rf);
	else if (s->producers < s->topics)
		snprintf(why, cap, "--producers %d: each of the %d topics needs one", s->producers,
			 s->topics);
	else
		return true;
	return false;
}

/* ---- printing ------------------------------------------------------------------------------- */

static void print_us(struct text *t, int64_t us)
{
	const char *unit = us % 1000000 == 0 ? "s" : us % 1000 == 0 ? "ms" : "us";

	if (us == 0)
		text_printf(t, "0");
	else
		text_printf(t, "%lld%s",
			    (long long)(us / (*unit == 's'   ? 1000000
					      : *unit == 'm' ? 1000
							     : 1)),
			    unit);
}

void settings_print(const struct swarm *s, char *out, size_t cap)
{
	struct text t;

	text_init(&t, out, cap);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];
		const void *at = (const char *)s + f->at;

		if (f->kind == FIELD_CONF)
			continue;
		text_printf(&t, "%s--%s ", i ? " " : "", f->name);
		switch (f->kind) {
		case FIELD_COUNT: text_printf(&t, "%d", *(const int *)at); break;
		case FIELD_OFFSET: text_printf(&t, "%lld", (long long)*(const int64_t *)at); break;
		case FIELD_FLAG: text_printf(&t, *(const bool *)at ? "yes" : "no"); break;
		case FIELD_MS:
			if (*(const int64_t *)at < 0)
				text_printf(&t, "-1");
			else
				print_us(&t, *(const int64_t *)at * 1000);
			break;
		case FIELD_US:
		case FIELD_RATE: print_us(&t, *(const int64_t *)at); break;
		case FIELD_CONF: break;
		}
	}
	for (int i = 0; i < s->n_conf; i++)
		text_printf(&t, " --set %s", s->conf[i]);
	ASSERT(!t.cut);
}

void settings_help(void)
{
	static const struct {
		const char *first, *title;
	} titles[] = {
		{ "controllers", "The cluster" }, { "first-record", "The past" },
		{ "producers", "The load" },      { "for", "The time" },
		{ "kill-rate", "The faults" },    { "latency", "The weather" },
	};
	static const char *const values[] = {
		[FIELD_COUNT] = "N",     [FIELD_OFFSET] = "N", [FIELD_FLAG] = "yes|no",
		[FIELD_US] = "TIME",     [FIELD_MS] = "TIME",  [FIELD_RATE] = "RATE",
		[FIELD_CONF] = "OPTION",
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char left[40];

		for (size_t k = 0; k < ARRAY_LEN(titles); k++)
			if (strcmp(titles[k].first, fields[i].name) == 0)
				printf("\n%s\n", titles[k].title);

		snprintf(left, sizeof(left), "--%s %s", fields[i].name, values[fields[i].kind]);
		printf("  %-22s %s\n", left, fields[i].doc);
	}
}
