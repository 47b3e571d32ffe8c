#include "broker/core/fetch_session.h"
#include "tests/lib/test.h"

static struct fetch_ask ask(int32_t partition, int64_t offset)
{
	return (struct fetch_ask){ .topic = STR("orders"),
				   .partition = partition,
				   .fetch_offset = offset,
				   .max_bytes = 1 << 20,
				   .log_start = -1,
				   .current_leader_epoch = -1 };
}

static struct fetch_session *session_of(struct fetch_sessions *c, bool is_follower, int32_t n,
					int64_t now_ms)
{
	struct fetch_session *s = fetch_session_create(c, false, is_follower, n, now_ms);

	for (int32_t i = 0; s != NULL && i < n; i++) {
		struct fetch_ask a = ask(i, 0);

		EXPECT(fetch_session_add(s, &a) != NULL);
	}
	return s;
}

static enum kerr open_at(struct fetch_sessions *c, struct fetch_opening *o, int32_t id,
			 int32_t epoch)
{
	*o = (struct fetch_opening){ .id = id, .epoch = epoch, .now_ms = 1000 };
	return fetch_session_open(c, o);
}

TEST(opening)
{
	struct fetch_sessions *c = fetch_sessions_new(10, 1);
	struct fetch_session *s;
	struct fetch_opening o;
	int32_t id;

	EXPECT_EQ(open_at(c, &o, 0, 0), KERR_NONE);
	EXPECT(o.may_create && o.session == NULL);
	EXPECT_EQ(open_at(c, &o, 0, -1), KERR_NONE);
	EXPECT(!o.may_create && o.session == NULL);
	s = session_of(c, false, 2, 1000);
	id = s->id;
	EXPECT(id > 0);
	EXPECT_EQ(open_at(c, &o, id, 1), KERR_NONE);
	EXPECT(o.session == s && !o.may_create);
	EXPECT_EQ(open_at(c, &o, id, 1), KERR_INVALID_FETCH_SESSION_EPOCH);
	EXPECT_EQ(open_at(c, &o, id, 2), KERR_NONE);
	EXPECT_EQ(open_at(c, &o, id ^ 1, 2), KERR_FETCH_SESSION_ID_NOT_FOUND);
	EXPECT_EQ(open_at(c, &o, -5, 2), KERR_FETCH_SESSION_ID_NOT_FOUND);
	o = (struct fetch_opening){ .id = id, .epoch = 3, .by_id = true };
	EXPECT_EQ(fetch_session_open(c, &o), KERR_FETCH_SESSION_TOPIC_ID_ERROR);
	EXPECT_EQ(open_at(c, &o, id, 0), KERR_NONE); /* begins anew: the old one is closed */
	EXPECT(o.may_create);
	EXPECT_EQ(fetch_sessions_count(c), 0);
	EXPECT_EQ(open_at(c, &o, id, 3), KERR_FETCH_SESSION_ID_NOT_FOUND);
	fetch_sessions_free(c);
}

TEST(epoch_wraps_to_one)
{
	struct fetch_sessions *c = fetch_sessions_new(10, 1);
	struct fetch_session *s = session_of(c, false, 1, 0);
	struct fetch_opening o;

	s->epoch = INT32_MAX;
	EXPECT_EQ(open_at(c, &o, s->id, INT32_MAX), KERR_NONE);
	EXPECT_EQ(s->epoch, 1);
	fetch_sessions_free(c);
}

TEST(only_news_is_told)
{
	struct fetch_sessions *c = fetch_sessions_new(10, 1);
	struct fetch_session *s = session_of(c, false, 3, 0);
	struct fetch_partition *p = LIST_FIRST(&s->order, struct fetch_partition, node);
	struct fetch_news news = { .high_watermark = 5, .log_start = 0 };

	EXPECT(fetch_partition_due(p, &news)); /* never told */
	fetch_partition_sent(s, p, &news);
	EXPECT(!fetch_partition_due(p, &news));
	news.high_watermark = 6;
	EXPECT(fetch_partition_due(p, &news));
	news.high_watermark = 5;
	news.log_start = 1;
	EXPECT(fetch_partition_due(p, &news));
	news.log_start = 0;
	news.must_tell = true;
	EXPECT(fetch_partition_due(p, &news));
	news.must_tell = false;
	news.is_error = true;
	EXPECT(fetch_partition_due(p, &news));
	fetch_partition_sent(s, p, &news);
	news.is_error = false;
	EXPECT(fetch_partition_due(p, &news)); /* after an error all is told again */
	news.has_records = true;
	EXPECT(fetch_partition_due(p, &news));
	fetch_partition_sent(s, p, &news);
	EXPECT(s->order.prev == &p->node); /* served: to the end of the queue */
	EXPECT_EQ(LIST_FIRST(&s->order, struct fetch_partition, node)->ask.partition, 1);
	fetch_sessions_free(c);
}

TEST(adding_changing_forgetting)
{
	struct fetch_sessions *c = fetch_sessions_new(10, 1);
	struct fetch_session *s = session_of(c, false, 3, 0);
	struct fetch_ask a = ask(1, 77), other = ask(1, 0);
	struct fetch_partition *p = fetch_session_add(s, &a);
	static char longer[300];

	EXPECT_EQ(s->n, 3);
	EXPECT_EQ(p->ask.fetch_offset, 77);
	EXPECT_STR(p->ask.topic, "orders");
	EXPECT(p->ask.topic.at != a.topic.at);
	other.topic = STR("orders2");
	EXPECT(fetch_session_find(s, &other) == NULL);
	fetch_session_forget(s, &other);
	fetch_session_forget(s, &a);
	EXPECT_EQ(s->n, 2);
	EXPECT_EQ(fetch_sessions_partitions(c), 2);
	memset(longer, 'x', sizeof(longer));
	other.topic = (struct str){ longer, sizeof(longer) };
	EXPECT(fetch_session_add(s, &other) == NULL);
	fetch_sessions_free(c);
}

TEST(topic_ids_are_keys_of_their_own)
{
	struct fetch_sessions *c = fetch_sessions_new(10, 1);
	struct fetch_session *s = fetch_session_create(c, true, true, 2, 0);
	struct fetch_ask a = { .topic_id = { { 1 } }, .partition = 4 },
			 b = { .topic_id = { { 2 } }, .partition = 4 };

	EXPECT(fetch_session_add(s, &a) != fetch_session_add(s, &b));
	EXPECT_EQ(s->n, 2);
	EXPECT(str_null(fetch_session_find(s, &a)->ask.topic));
	fetch_sessions_free(c);
}

TEST(eviction_rules)
{
	struct fetch_sessions *c = fetch_sessions_new(2, 1);
	struct fetch_session *small = session_of(c, false, 1, 0),
			     *large = session_of(c, false, 5, 0);
	struct fetch_session *follower;
	int32_t small_id = small->id, large_id = large->id;
	struct fetch_opening o;

	EXPECT(session_of(c, false, 9, 1000) == NULL); /* both are young */
	follower = session_of(c, true, 1, 1000);       /* displaces a consumer's */
	EXPECT(follower != NULL);
	EXPECT_EQ(open_at(c, &o, small_id, 1), KERR_FETCH_SESSION_ID_NOT_FOUND);
	EXPECT_EQ(open_at(c, &o, large_id, 1), KERR_NONE);
	large->used_ms = 130000;
	follower->used_ms = 130000;
	EXPECT(session_of(c, false, 5, 130001) == NULL); /* not worth more than the old one */
	EXPECT(session_of(c, false, 6, 130001) != NULL);
	EXPECT_EQ(open_at(c, &o, large_id, 2), KERR_FETCH_SESSION_ID_NOT_FOUND);
	EXPECT(session_of(c, false, 1, 260000) != NULL); /* unused for too long */
	EXPECT_EQ(fetch_sessions_count(c), 2);
	EXPECT_EQ(fetch_sessions_evicted(c), 3);
	fetch_sessions_free(c);
}

TEST(partitions_are_bounded)
{
	struct fetch_sessions *c = fetch_sessions_new(1, 1);
	struct fetch_session *s;
	struct fetch_ask a = ask(1000, 0);

	EXPECT(fetch_session_create(c, false, false, 201, 0) == NULL);
	s = session_of(c, false, 200, 0);
	EXPECT(fetch_session_add(s, &a) == NULL);
	fetch_sessions_free(c);
}

TEST(pinned_session_outlives_its_eviction)
{
	struct fetch_sessions *c = fetch_sessions_new(1, 1);
	struct fetch_session *s = session_of(c, false, 3, 0);
	struct fetch_news news = { .has_records = true };
	struct fetch_partition *first = LIST_FIRST(&s->order, struct fetch_partition, node);

	fetch_session_pin(s);
	fetch_session_forget(s, &first->ask); /* by a request that came while we waited */
	EXPECT(first->is_gone);
	fetch_partition_sent(s, first, &news);
	EXPECT(LIST_FIRST(&s->order, struct fetch_partition, node) != first);
	fetch_session_pin(s);
	fetch_session_unpin(s);
	EXPECT_EQ(fetch_sessions_partitions(c), 3);
	EXPECT(session_of(c, true, 1, 5) != NULL);
	EXPECT(s->is_closed);
	EXPECT(fetch_session_add(s, &first->ask) == NULL);
	fetch_partition_sent(s, LIST_FIRST(&s->order, struct fetch_partition, node), &news);
	fetch_session_unpin(s);
	EXPECT_EQ(fetch_sessions_partitions(c), 1);
	fetch_sessions_free(c);
}
