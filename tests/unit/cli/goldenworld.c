/* goldenworld.c - the records of a small cluster's life, folded into the state they make. */
#include "tests/unit/cli/goldenworld.h"
#include "cluster/saved.pb-c.h"
#include "common/base/arena.h"
#include "common/meta/image.h"
#include "tests/lib/test.h"

#include <stdio.h>

#define RECORDS_MAX 64
#define BEGAN_MS 1772355600000 /* 2026-03-01T09:00:00Z */

struct world {
	struct arena mem;
	struct image *image;
	Weir__LogEntry *entries[RECORDS_MAX];
	Weir__MetadataRecord *state[4 * RECORDS_MAX];
	size_t n, n_state;
	int64_t now_ms;
};

static void *make(struct world *w, size_t n)
{
	return arena_must(&w->mem, n);
}

static char *z(struct world *w, const char *text)
{
	return (char *)(uintptr_t)arena_printf(&w->mem, "%s", text).at;
}

/* Sixteen times the same byte. */
static ProtobufCBinaryData id(struct world *w, int byte)
{
	ProtobufCBinaryData b = { sizeof(struct uuid), make(w, sizeof(struct uuid)) };

	memset(b.data, byte, b.len);
	return b;
}

static void log_record(struct world *w, Weir__MetadataRecord *r)
{
	Weir__LogEntry *e = w->entries[w->n] = make(w, sizeof(*e));

	weir__log_entry__init(e);
	r->has_time_ms = true;
	r->time_ms = w->now_ms;
	e->offset = (int64_t)w->n++;
	e->epoch = 1;
	e->record = r;
	EXPECT_OK(image_apply(w->image, r));
}

static Weir__MetadataRecord *record(struct world *w, Weir__MetadataRecord__BodyCase kind)
{
	Weir__MetadataRecord *r = make(w, sizeof(*r));

	weir__metadata_record__init(r);
	r->body_case = kind;
	return r;
}

/* ---- the records --------------------------------------------------------------------------- */

static void controller(struct world *w)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_LEADER);

	r->leader = make(w, sizeof(*r->leader));
	weir__leader_record__init(r->leader);
	r->leader->controller = 101;
	r->leader->epoch = 1;
	log_record(w, r);
}

static void broker(struct world *w, int32_t number, const char *rack)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_BROKER);
	Weir__BrokerRecord *b = r->broker = make(w, sizeof(*b));
	Weir__Endpoint *e = make(w, sizeof(*e));

	weir__broker_record__init(b);
	weir__endpoint__init(e);
	b->id = number;
	b->incarnation = id(w, 0x10 + number);
	b->epoch = (int64_t)w->n;
	b->rack = z(w, rack);
	b->log_dirs = make(w, sizeof(*b->log_dirs));
	b->log_dirs[b->n_log_dirs++] = id(w, 0x20 + number);
	e->name = e->protocol = z(w, "PLAINTEXT");
	e->host = z(w, "broker.example.net");
	e->port = 9090 + number;
	b->endpoints = make(w, sizeof(*b->endpoints));
	b->endpoints[b->n_endpoints++] = e;
	log_record(w, r);
}

static void fence(struct world *w, int32_t number, bool fenced, const char *reason)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_BROKER_CHANGE);
	Weir__BrokerChangeRecord *b = r->broker_change = make(w, sizeof(*b));

	weir__broker_change_record__init(b);
	b->id = number;
	b->epoch = image_broker(w->image, number)->epoch;
	b->has_fenced = true;
	b->fenced = fenced;
	b->reason = z(w, reason);
	log_record(w, r);
}

static void topic(struct world *w, const char *name, int byte)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_TOPIC);

	r->topic = make(w, sizeof(*r->topic));
	weir__topic_record__init(r->topic);
	r->topic->name = z(w, name);
	r->topic->id = id(w, byte);
	log_record(w, r);
}

static void config(struct world *w, const char *name, const char *key, const char *value)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_CONFIG);

	r->config = make(w, sizeof(*r->config));
	weir__config_record__init(r->config);
	r->config->resource_type = IMAGE_TOPIC;
	r->config->resource = z(w, name);
	r->config->name = z(w, key);
	r->config->value = z(w, value);
	log_record(w, r);
}

/* "132": three ids. */
static int32_t *ids(struct world *w, const char *text, size_t *n)
{
	int32_t *out = make(w, (strlen(text) + 1) * sizeof(*out));

	for (*n = 0; text[*n]; ++*n)
		out[*n] = text[*n] - '0';
	return out;
}

static Weir__BrokerIds *id_list(struct world *w, const char *text)
{
	Weir__BrokerIds *out = make(w, sizeof(*out));

	weir__broker_ids__init(out);
	out->id = ids(w, text, &out->n_id);
	return out;
}

static void partition(struct world *w, int topic_byte, int32_t number, const char *replicas)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_PARTITION);
	Weir__PartitionRecord *p = r->partition = make(w, sizeof(*p));

	weir__partition_record__init(p);
	p->topic_id = id(w, topic_byte);
	p->partition = number;
	p->replicas = ids(w, replicas, &p->n_replicas);
	p->isr = ids(w, replicas, &p->n_isr);
	p->leader = p->replicas[0];
	log_record(w, r);
}

/* isr NULL, leader -2: not in the record. */
static Weir__PartitionChangeRecord *change(struct world *w, int topic_byte, int32_t number,
					   const char *isr, const char *reason)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE);
	Weir__PartitionChangeRecord *p = r->partition_change = make(w, sizeof(*p));

	weir__partition_change_record__init(p);
	p->topic_id = id(w, topic_byte);
	p->partition = number;
	p->isr = isr ? id_list(w, isr) : NULL;
	p->reason = z(w, reason);
	return p;
}

static void log_change(struct world *w, Weir__PartitionChangeRecord *p, int32_t leader)
{
	Weir__MetadataRecord *r = record(w, WEIR__METADATA_RECORD__BODY_PARTITION_CHANGE);

	p->has_leader = leader != -2;
	p->leader = leader;
	r->partition_change = p;
	log_record(w, r);
}

enum { ORDERS = 0x31, AUDIT = 0x32 };

static void live(struct world *w)
{
	Weir__PartitionChangeRecord *p;

	controller(w);
	for (int32_t b = 1; b <= 3; b++)
		broker(w, b, b == 1 ? "a" : b == 2 ? "b" : "c");
	for (int32_t b = 1; b <= 3; b++)
		fence(w, b, false, "caught up");
	w->now_ms += 60000;
	topic(w, "orders", ORDERS);
	config(w, "orders", "min.insync.replicas", "2");
	config(w, "orders", "retention.ms", "86400000");
	partition(w, ORDERS, 0, "123");
	partition(w, ORDERS, 1, "231");
	partition(w, ORDERS, 2, "312");
	topic(w, "audit", AUDIT);
	partition(w, AUDIT, 0, "3");
	w->now_ms += 3600000;
	fence(w, 3, true, "connection closed");
	log_change(w, change(w, ORDERS, 0, "12", "broker 3: connection closed"), -2);
	log_change(w, change(w, ORDERS, 1, "21", "broker 3: connection closed"), -2);
	log_change(w, change(w, ORDERS, 2, "12", "broker 3: connection closed"), 1);
	p = change(w, AUDIT, 0, "", "broker 3: connection closed");
	p->elr = id_list(w, "3");
	log_change(w, p, -1);
	w->now_ms += 1500;
	p = change(w, ORDERS, 1, NULL, "reassignment");
	p->adding = id_list(w, "3");
	log_change(w, p, -2);
}

/* ---- the file ------------------------------------------------------------------------------ */

static void keep(void *arg, const Weir__MetadataRecord *r)
{
	struct world *w = arg;
	size_t n = weir__metadata_record__get_packed_size(r);
	uint8_t *bytes = make(w, n + 1);

	ASSERT(w->n_state < ARRAY_LEN(w->state));
	weir__metadata_record__pack(r, bytes);
	w->state[w->n_state++] = weir__metadata_record__unpack(NULL, n, bytes);
}

static void describe(struct world *w, Weir__ControllerState *c)
{
	static int32_t voters[] = { 101 };

	weir__controller_state__init(c);
	c->id = 101;
	c->cluster_id = z(w, "EREREREREREREREREREREQ");
	c->epoch = 1;
	c->log_end = c->committed = (int64_t)w->n;
	c->voters = voters;
	c->n_voters = ARRAY_LEN(voters);
	c->brokers = make(w, 3 * sizeof(*c->brokers));
	for (int32_t b = 1; b <= 3; b++) {
		Weir__BrokerState *s = c->brokers[c->n_brokers++] = make(w, sizeof(*s));

		weir__broker_state__init(s);
		s->id = b;
		s->has_connected = s->has_last_contact_ms = s->has_metadata_offset = true;
		s->connected = b != 3;
		s->last_contact_ms = b == 3 ? 41000 : 100 + b;
		s->metadata_offset = c->log_end - (b == 3 ? 6 : 0);
	}
}

static void write_file(struct world *w, const char *path, const Weir__Saved *saved)
{
	static const char magic[] = "weir metadata 1\n";
	size_t n = weir__saved__get_packed_size(saved);
	uint8_t *bytes = make(w, n);
	FILE *f = fopen(path, "w");

	weir__saved__pack(saved, bytes);
	EXPECT(f && fwrite(magic, 1, sizeof(magic) - 1, f) == sizeof(magic) - 1 &&
	       fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

void goldenworld_save(const char *path)
{
	struct world w = { .image = image_new(), .now_ms = BEGAN_MS };
	Weir__ControllerState c;
	Weir__LogEntries log = WEIR__LOG_ENTRIES__INIT;
	Weir__Snapshot snapshot = WEIR__SNAPSHOT__INIT;
	Weir__Saved saved = WEIR__SAVED__INIT;

	arena_init(&w.mem, 1 << 22);
	live(&w);
	image_dump(w.image, keep, &w);
	describe(&w, &c);
	snapshot.offset = log.end = (int64_t)w.n;
	snapshot.records = w.state;
	snapshot.n_records = w.n_state;
	log.entries = w.entries;
	log.n_entries = w.n;
	saved.time_ms = w.now_ms;
	saved.controller = &c;
	saved.snapshot = &snapshot;
	saved.log = &log;
	write_file(&w, path, &saved);
	for (size_t i = 0; i < w.n_state; i++)
		weir__metadata_record__free_unpacked(w.state[i], NULL);
	image_put(w.image);
	arena_fini(&w.mem);
}
