/* boot.c - the order in which a controller comes up: its directory (lock, identity), its log and so
 * its state, its listener, and only then the first decision of its epoch.  A second process on the
 * same directory or address thus ends before it could write anything. */
#include "controller/server/boot.h"

#include <stdio.h>

#include "common/base/log.h"

enum err controller_start(struct controller_boot *p, struct env *env, struct resolved *r,
			  struct str cluster_id, char *why, size_t cap)
{
	int64_t begin_us = env_mono_us(env);
	int32_t port = 0;
	enum err e;

	p->env = env;
	if ((e = meta_dir_open(env, r->dir, r->node.id, cluster_id, &p->dir, why, cap)) != ERR_OK)
		return e;
	r->node.ctl.cluster_id = str_of(p->dir.cluster_id);
	if ((e = node_new(env, &r->node, &p->node, why, cap)) != ERR_OK)
		return e;
	if ((e = env->peers->listen(env, &r->listen, node_accept, p->node, &p->listener, &port)) !=
	    ERR_OK) {
		(void)snprintf(why, cap, "cannot listen on %s:%d: %s", r->listen.host,
			       r->listen.port,
			       e == ERR_REFUSED ? "the address is in use" : err_text(e));
		return e;
	}
	node_start(p->node); /* only now: an append on its way could not be called back */
	log_info("controller", "ready", F_I64("port", port), F_Z("cluster_id", p->dir.cluster_id),
		 F_I64("records", mlog_end(p->node->log)),
		 F_I64("brokers", p->node->ctl.image->n_brokers),
		 F_I64("topics", p->node->ctl.image->n_topics),
		 F_I64("us", env_mono_us(env) - begin_us));
	return ERR_OK;
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
