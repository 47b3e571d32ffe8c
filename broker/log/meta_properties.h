/* meta_properties.h - meta.properties of a log directory: whose it is.
 *
 *   version=1
 *   cluster.id=Some22CharactersOfBase64
 *   node.id=1
 *   directory.id=aSSuYfwERGqm3A6y5A2hAg
 *
 * Also read: version=0 with broker.id, as older Kafka wrote it; its directory.id is zero. */
#pragma once
#include "broker/log/small_file.h"

struct meta_properties {
	char cluster_id[64];
	int32_t node_id;
	struct uuid directory_id;
};

must_check enum err meta_properties_write(struct env *, const char *dir,
					  const struct meta_properties *);
/* ERR_NOT_FOUND: none there; ERR_CORRUPT. */
must_check enum err meta_properties_read(struct env *, const char *dir, struct meta_properties *);
