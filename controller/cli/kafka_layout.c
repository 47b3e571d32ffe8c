/* kafka_layout.c - see kafka_layout.h. */
#include "controller/cli/kafka_layout.h"
#include "controller/cli/out.h"

#include <stdio.h>

/* While a partition moves, the replicas that are being added do not count yet. */
void kafka_layout_topic(const struct image_topic *t)
{
	char id[UUID_TEXT];

	uuid_text(t->id, id);
	printf("Topic: %.*s\tTopicId: %s\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: ",
	       (int)t->name.n, t->name.at, id, t->n_partitions,
	       t->n_partitions ? t->partitions[0].replicas.n - t->partitions[0].adding.n : 0);
	for (int32_t i = 0; i < t->n_configs; i++)
		printf("%s%.*s=%.*s", i ? "," : "", (int)t->configs[i].name.n,
		       t->configs[i].name.at, (int)t->configs[i].value.n, t->configs[i].value.at);
	putchar('\n');
}

static void print_ids(struct cli *cli, const char *title, const struct image_ids *ids)
{
	printf("\t%s: %s", title, text_of_ids(cli, ids->v, ids->n));
}

void kafka_layout_partition(struct cli *cli, const struct image_topic *t, int32_t i)
{
	const struct image_partition *p = &t->partitions[i];

	printf("\tTopic: %.*s\tPartition: %d\tLeader: ", (int)t->name.n, t->name.at, i);
	if (p->leader < 0)
		fputs("none", stdout);
	else
		printf("%d", p->leader);
	print_ids(cli, "Replicas", &p->replicas);
	print_ids(cli, "Isr", &p->isr);
	if (p->adding.n + p->removing.n) {
		print_ids(cli, "Adding Replicas", &p->adding);
		print_ids(cli, "Removing Replicas", &p->removing);
	}
	print_ids(cli, "Elr", &p->elr);
	print_ids(cli, "LastKnownElr", &p->last_known_elr);
	putchar('\n');
}
