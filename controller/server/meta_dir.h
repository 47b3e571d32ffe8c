/* meta_dir.h - the controller's directory: whose it is (meta.properties), and that it is ours alone
 * (.lock). */
#pragma once
#include "common/env/env.h"

struct meta_dir {
	struct file *lock;
	char cluster_id[64];
	char directory_id[UUID_TEXT];
};
/* Creates what is missing.  cluster_id: what the operator asked for, empty for whatever is there; a
 * new directory without it gets a random one.  why: one sentence when it fails. */
must_check enum err meta_dir_open(struct env *, const char *dir, int32_t node_id,
				  struct str cluster_id,
				  struct meta_dir *, char *why, size_t cap);
must_check enum err meta_dir_adopt(struct env *, const char *dir, int32_t node_id,
				   struct str cluster_id, struct meta_dir *);
void meta_dir_close(struct meta_dir *);
