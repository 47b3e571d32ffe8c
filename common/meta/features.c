/* features.c - the table.  metadata.version is nominal: the records of the metadata log are our
 * own, and every node reads all of them; the level says which of Kafka's releases the cluster
 * equals in what it can do. */
#include "common/meta/features.h"

const struct feature features[] = {
	{ "eligible.leader.replicas.version", 1, 1, 1 }, /* KIP-966 is always in force */
	{ "kraft.version", 1, 1, 1 },                    /* voters have directory ids (KIP-853) */
	{ "metadata.version", 7, 30, 30 },               /* 3.3-IV3 to 4.3-IV0 */
};
const int n_features = (int)ARRAY_LEN(features);

const struct feature *feature_named(struct str name)
{
	for (int i = 0; i < n_features; i++)
		if (str_eq(str_of(features[i].name), name))
			return &features[i];
	return NULL;
}
