/* record_print.h - metadata records on stdout, from their protobuf descriptors.
 *
 * A new kind of record or a new field needs no line here.  Text speaks of topics by the names that
 * were learnt from topic records; JSON has the ids. */
#pragma once
#include "cluster/records.pb-c.h"
#include "common/base/map.h"
#include "controller/cli/cli.h"
#include "controller/cli/json.h"

struct record_names {
	struct cli *cli;
	struct map by_id;
};
void record_names_init(struct record_names *, struct cli *);
void record_names_fini(struct record_names *);
void record_names_learn(struct record_names *, const Weir__MetadataRecord *);

const char *record_kind(const Weir__MetadataRecord *); /* "partition_change"; "unknown" */
void record_print_text(const struct record_names *, const Weir__MetadataRecord *);
void record_print_json(struct json *, const char *key, const Weir__MetadataRecord *);
