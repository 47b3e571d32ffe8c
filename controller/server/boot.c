/* boot.c - the order in which a controller comes up: its directory (lock, identity), its log and so
 * its state, its listener, and only then the quorum.  A second process on the same directory or
 * address thus ends before it could write anything. */
#include "controller/server/boot.h"

#include <stdio.h>

#include "common/base/log.h"

static enum err adopt_cluster(void *boot, struct str cluster_id);

enum err controller_start(struct controller_boot *p, struct env *env, struct resolved *r,
			  struct str cluster_id, char *why, size_t cap)
{
	int64_t begin_us = env_mono_us(env);
	int32_t port = 0;
	enum err e;

	p->env = env;
	p->resolved = r;
	p->cluster_id = cluster_id;
	if ((e = meta_dir_open(env, r->dir, r->node.id, cluster_id, &p->dir, why, cap)) != ERR_OK)
		return e;
	r->node.ctl.cluster_id = str_of(p->dir.cluster_id);
	if (uuid_parse(str_of(p->dir.directory_id), &r->node.quorum.directory) != ERR_OK) {
		(void)snprintf(why, cap, "%s/meta.properties: directory.id is no id", r->dir);
		return ERR_INVALID;
	}
	if ((e = node_new(env, &r->node, &p->node, why, cap)) != ERR_OK)
		return e;
	p->node->adopt_cluster = adopt_cluster;
	p->node->boot = p;
	if ((e = env->peers->listen(env, &r->listen, node_accept, p->node, &p->listener, &port)) !=
	    ERR_OK) {
		(void)snprintf(why, cap, "cannot listen on %s:%d: %s", r->listen.host,
			       r->listen.port, listen_text(e));
		return e;
	}
	if (env->peers->listen_for_peers)
		env->peers->listen_for_peers(p->listener);
	node_start(p->node); /* only now: an append on its way could not be called back */
	log_info("controller", "ready", F_I64("port", port), F_Z("cluster_id", p->dir.cluster_id),
		 F_I64("records", mlog_end(p->node->log)),
		 F_I64("us", env_mono_us(env) - begin_us));
	return ERR_OK;
}

static enum err adopt_cluster(void *boot, struct str cluster_id)
{
	struct controller_boot *p = boot;
	struct resolved *r = p->resolved;
	enum err e = ERR_INVALID;

	if (p->cluster_id.n == 0 || str_eq(p->cluster_id, cluster_id))
		e = meta_dir_adopt(p->env, r->dir, r->node.id, cluster_id, &p->dir);
	if (e != ERR_OK)
		log_error("controller",
			  "the other controllers' cluster is not ours: check cluster.id and "
			  "controller.quorum.voters, or that the directory may be written",
			  F_STR("theirs", cluster_id), F_STR("ours", str_of(p->dir.cluster_id)),
			  F_Z("error", err_text(e)));
	r->node.ctl.cluster_id = str_of(p->dir.cluster_id);
	return e;
}

void controller_stop(struct controller_boot *p)
{
	p->env->peers->unlisten(p->listener);
	node_stop(p->node);
}

void controller_free(struct controller_boot *p)
{
	node_free(p->node);
	meta_dir_close(&p->dir);
}
