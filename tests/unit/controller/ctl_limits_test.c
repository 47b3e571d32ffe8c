/* Requests that ask for too much are refused in words, whatever a client sends. */
#include "common/wire/kerr.h"
#include "tests/lib/test.h"
#include "tests/story/ctlworld.h"

#include <stdio.h>

static int32_t create(struct ctlworld *w, int32_t n_topics, int32_t partitions, const char *value)
{
	Weir__CreateTopics m = WEIR__CREATE_TOPICS__INIT;
	struct ctl_cmd cmd = { .kind = CTL_CREATE_TOPICS, .create_topics = &m };
	Weir__CreateTopic *t = mem_alloc((size_t)n_topics * sizeof(*t));
	Weir__CreateTopic **v = mem_alloc((size_t)n_topics * sizeof(void *));
	Weir__Config c = WEIR__CONFIG__INIT, *configs[] = { &c };
	char(*names)[16] = mem_alloc((size_t)n_topics * sizeof(*names));
	const Weir__Response *r;
	int32_t code;

	c.name = (char[]){ "leader.replication.throttled.replicas" };
	c.value = (char *)(uintptr_t)value;
	for (int32_t i = 0; i < n_topics; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "topic-%d", i);
		t[i] = (Weir__CreateTopic)WEIR__CREATE_TOPIC__INIT;
		t[i].name = names[i];
		t[i].partitions = partitions;
		t[i].configs = configs;
		t[i].n_configs = value != NULL;
		v[i] = &t[i];
	}
	m.topics = v;
	m.n_topics = (size_t)n_topics;
	r = ctlworld_do(w, &cmd);
	code = r != NULL ? r->topics->topics[n_topics - 1]->code : -1;
	mem_free(t);
	mem_free(v);
	mem_free(names);
	return code;
}

static void one_broker(struct ctlworld *w)
{
	ctlworld_init(w);
	ctlworld_register(w, 1, NULL, true, false);
	ctlworld_broker(w, CTL_UNFENCE, 1, "caught up");
}

TEST(partitions_of_one_request_are_bounded_together)
{
	struct ctlworld w;

	one_broker(&w);
	EXPECT_EQ(create(&w, 1, 10001, NULL), KERR_POLICY_VIOLATION);
	EXPECT_EQ(create(&w, 3, 4000, NULL), KERR_POLICY_VIOLATION);
	EXPECT_EQ(w.ctl.image->n_topics, 2);
	EXPECT_EQ(create(&w, 10001, 1, NULL), -1);
	EXPECT_EQ(w.ctl.image->n_topics, 2);
	ctlworld_fini(&w);
}

/* It must fit a frame between controllers, or it could never be committed. */
TEST(what_one_request_writes_is_bounded)
{
	struct ctlworld w;
	char *big = mem_alloc(32768);

	for (int i = 0; i < 32767; i++)
		big[i] = "0:1,"[i % 4];
	one_broker(&w);
	EXPECT_EQ(create(&w, 300, 1, big), -1);
	EXPECT_EQ(w.ctl.image->n_topics, 0);
	EXPECT_EQ(create(&w, 200, 1, big), KERR_NONE);
	EXPECT_EQ(w.ctl.image->n_topics, 200);
	ctlworld_fini(&w);
	mem_free(big);
}

TEST(texts_are_bounded)
{
	struct ctlworld w;
	char *big = mem_alloc(1 << 20);

	for (int i = 0; i < 1 << 20; i++)
		big[i] = "0:1,"[i % 4];
	big[(1 << 20) - 1] = 0;
	one_broker(&w);
	EXPECT_EQ(create(&w, 1, 1, big), KERR_INVALID_CONFIG);
	big[32767] = 0;
	EXPECT_EQ(create(&w, 1, 1, big), KERR_NONE);
	ctlworld_register(&w, 2, big, true, false);
	EXPECT(image_broker(w.ctl.image, 2) == NULL);
	ctlworld_fini(&w);
	mem_free(big);
}
