/* meta_dir.c - the lock first, then meta.properties: who owns this directory.
 *
 * The lock is taken before anything is read, so that two processes cannot both find an empty
 * directory and both name it.  The file has Kafka's form (version=1, cluster.id, node.id,
 * directory.id) and is written like a snapshot: beside, synced, renamed. */
#include "controller/server/meta_dir.h"

#include <stdio.h>

#include "common/base/text.h"

#define PROPERTIES_MAX 4096

static enum err take_lock(struct env *, const char *dir, struct meta_dir *);
static enum err read_properties(struct env *, const char *path, char *to, size_t cap);
static enum err write_properties(struct env *, const char *dir, int32_t node_id,
				 const struct meta_dir *);
static struct str property(struct str text, struct str key);
static void copy(char *to, size_t cap, struct str);

/* New: name the directory and, if nobody said otherwise, the cluster.  Existing: its node and
 * cluster must be ours, because metadata of another one would be mixed in. */
enum err meta_dir_open(struct env *env, const char *dir, int32_t node_id, struct str cluster_id,
		       struct meta_dir *out, char *why, size_t cap)
{
	char path[4096], text[PROPERTIES_MAX];
	int32_t owner = node_id;
	struct str have;
	enum err e;

	*out = (struct meta_dir){ 0 };
	if ((e = env->files->mkdir(env, dir)) != ERR_OK ||
	    (e = take_lock(env, dir, out)) != ERR_OK) {
		if (e == ERR_LOCKED)
			(void)snprintf(why, cap,
				       "%s is used by another process: a controller is already "
				       "running on it",
				       dir);
		else
			(void)snprintf(
				why, cap,
				"%s cannot be used: %s; check that it exists and may be written to",
				dir, err_text(e));
		goto out;
	}
	(void)snprintf(path, sizeof(path), "%s/meta.properties", dir);
	e = read_properties(env, path, text, sizeof(text));
	if (e == ERR_NOT_FOUND) {
		uuid_text(prng_uuid(&env->prng), out->directory_id);
		uuid_text(prng_uuid(&env->prng), out->cluster_id);
		if (cluster_id.n > 0)
			copy(out->cluster_id, sizeof(out->cluster_id), cluster_id);
		e = write_properties(env, dir, node_id, out);
	}
	if (e != ERR_OK) {
		(void)snprintf(why, cap, "%s: %s", path, err_text(e));
		goto out;
	}
	if (out->cluster_id[0] != 0)
		goto out;
	have = property(str_of(text), STR("cluster.id"));
	copy(out->cluster_id, sizeof(out->cluster_id), have);
	copy(out->directory_id, sizeof(out->directory_id),
	     property(str_of(text), STR("directory.id")));
	e = ERR_INVALID;
	if (have.n == 0 || parse_i32(property(str_of(text), STR("node.id")), &owner) != ERR_OK)
		(void)snprintf(why, cap,
			       "%s names no cluster.id or no node.id: restore the file, or start "
			       "on an empty directory",
			       path);
	else if (owner != node_id)
		(void)snprintf(why, cap,
			       "%s belongs to node %d, but node.id is %d: correct node.id or the "
			       "directory",
			       dir, owner, node_id);
	else if (cluster_id.n > 0 && !str_eq(cluster_id, have))
		(void)snprintf(why, cap,
			       "%s belongs to cluster %.*s, but cluster.id is %.*s: correct "
			       "cluster.id or the directory",
			       dir, (int)have.n, have.at, (int)cluster_id.n, cluster_id.at);
	else
		e = ERR_OK;
out:
	if (e != ERR_OK)
		meta_dir_close(out);
	return e;
}

/* Only a directory that holds no metadata yet changes its cluster. */
enum err meta_dir_adopt(struct env *env, const char *dir, int32_t node_id, struct str cluster_id,
			struct meta_dir *m)
{
	if (str_eq(cluster_id, str_of(m->cluster_id)))
		return ERR_OK;
	if (cluster_id.n == 0 || cluster_id.n >= sizeof(m->cluster_id))
		return ERR_INVALID;
	copy(m->cluster_id, sizeof(m->cluster_id), cluster_id);
	return write_properties(env, dir, node_id, m);
}

void meta_dir_close(struct meta_dir *m)
{
	file_put(m->lock);
	m->lock = NULL;
}

static enum err take_lock(struct env *env, const char *dir, struct meta_dir *m)
{
	char path[4096];
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/.lock", dir);
	e = env->files->open(env, path, FILE_READ | FILE_WRITE | FILE_CREATE, &m->lock);
	return e != ERR_OK ? e : m->lock->ops->lock(m->lock);
}

static enum err read_properties(struct env *env, const char *path, char *to, size_t cap)
{
	struct file *f;
	size_t got = 0;
	enum err e = env->files->open(env, path, FILE_READ, &f);

	if (e != ERR_OK)
		return e;
	e = f->ops->read(f, to, cap - 1, 0, &got);
	to[got] = 0;
	file_put(f);
	return e;
}

static enum err write_properties(struct env *env, const char *dir, int32_t node_id,
				 const struct meta_dir *m)
{
	char path[4096], tmp[4096], text[PROPERTIES_MAX];
	struct file_iov iov = { text, 0 };
	struct file *f;
	enum err e;

	(void)snprintf(path, sizeof(path), "%s/meta.properties", dir);
	(void)snprintf(tmp, sizeof(tmp), "%s/meta.properties.tmp", dir);
	iov.n = (size_t)snprintf(text, sizeof(text),
				 "version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n",
				 m->cluster_id, node_id, m->directory_id);
	if ((e = env->files->open(env, tmp, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &f)) !=
	    ERR_OK)
		return e;
	if ((e = f->ops->writev(f, &iov, 1, 0)) == ERR_OK)
		e = f->ops->sync(f);
	file_put(f);
	if (e == ERR_OK)
		e = env->files->rename(env, tmp, path);
	return e != ERR_OK ? e : env->files->sync_dir(env, dir);
}

/* The value of a key; empty when there is none. */
static struct str property(struct str text, struct str key)
{
	struct str line, name;

	while (str_cut(&text, '\n', &line))
		if (str_cut(&line, '=', &name) && str_eq(str_trim(name), key))
			return str_trim(line);
	return (struct str){ "", 0 };
}

static void copy(char *to, size_t cap, struct str s)
{
	size_t n = size_min(s.n, cap - 1);

	if (n > 0)
		memcpy(to, s.at, n);
	to[n] = 0;
}
