/* logdir.c - the directories of partitions, as one level of names; the names are in logdir.h.
 *
 * The listing is taken first and acted upon afterwards, because removing and renaming while a
 * directory is being read may skip or repeat names. */
#include "broker/log/logdir.h"
#include "common/base/log.h"
#include <stdio.h>

#define FILE_NAME_MAX 255
#define FUTURE "-future"

/* Names to act upon once the listing is over: the directory must not change under it. */
struct names {
	char (*v)[LOGDIR_NAME_MAX];
	int32_t n, cap;
};

static void note(void *arg, const struct file_name *);
static bool ends_with(struct str, const char *tail);
static void join(char out[SMALL_PATH_MAX], const char *dir, const char *name);

enum err logdir_lock(struct env *env, const char *dir, struct file **lock)
{
	char path[SMALL_PATH_MAX];
	enum err e;

	if ((e = env->files->mkdir(env, dir)) != ERR_OK)
		return e;
	join(path, dir, ".lock");
	if ((e = env->files->open(env, path, FILE_READ | FILE_WRITE | FILE_CREATE, lock)) != ERR_OK)
		return e;
	if ((e = (*lock)->ops->lock(*lock)) != ERR_OK) {
		file_put(*lock);
		*lock = NULL;
	}
	return e;
}

/* The last dash separates: topics may contain dashes and digits. */
bool logdir_parse(struct str name, struct str *topic, int32_t *partition)
{
	size_t at = name.n;

	while (at > 0 && name.at[at - 1] >= '0' && name.at[at - 1] <= '9')
		at--;
	if (at == name.n || at < 2 || name.at[at - 1] != '-')
		return false;
	if (parse_i32((struct str){ name.at + at, name.n - at }, partition) != ERR_OK)
		return false;
	*topic = (struct str){ name.at, at - 1 };
	return true;
}

enum err logdir_scan(struct env *env, const char *dir, void (*each)(void *arg, const char *name),
		     void *arg)
{
	struct names names = { 0 };
	enum err e = env->files->list(env, dir, note, &names);

	for (int32_t i = 0; i < names.n && !e; i++) {
		struct str name = str_of(names.v[i]), topic;
		int32_t partition;

		if (ends_with(name, "-delete"))
			e = logdir_remove(env, dir, names.v[i]);
		else if (ends_with(name, "-stray"))
			log_warn("log",
				 "a stray partition is kept but not served: remove it or rename it "
				 "back",
				 F_Z("dir", dir), F_Z("name", names.v[i]));
		else if (logdir_parse(name, &topic, &partition) || ends_with(name, FUTURE))
			each(arg, names.v[i]);
	}
	mem_free(names.v);
	return e;
}

/* The name is cut so that it still fits in 255 bytes with id and suffix, as Kafka does. */
static void add_suffix(const char *name, struct uuid id, const char *suffix,
		       char out[LOGDIR_NAME_MAX])
{
	size_t room = FILE_NAME_MAX - 1 - 32 - strlen(suffix);
	char hex[33];

	for (int i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", id.b[i]);
	snprintf(out, LOGDIR_NAME_MAX, "%.*s.%s%s", (int)room, name, hex, suffix);
}

void logdir_future_name(const char *name, struct uuid unique, char out[LOGDIR_NAME_MAX])
{
	add_suffix(name, unique, FUTURE, out);
}

bool logdir_future_parse(struct str future, struct str *name)
{
	size_t tail = 1 + 32 + strlen(FUTURE);
	struct str topic;
	int32_t partition;

	if (!ends_with(future, FUTURE) || future.n <= tail || future.at[future.n - tail] != '.')
		return false;
	*name = (struct str){ future.at, future.n - tail };
	return logdir_parse(*name, &topic, &partition);
}

enum err logdir_retire(struct env *env, const char *dir, const char *name, struct uuid id,
		       enum logdir_fate fate, char out[LOGDIR_NAME_MAX])
{
	char from[SMALL_PATH_MAX], to[SMALL_PATH_MAX];
	enum err e;

	add_suffix(name, id, fate == LOGDIR_DELETE ? "-delete" : "-stray", out);
	join(from, dir, name);
	join(to, dir, out);
	if ((e = env->files->rename(env, from, to)))
		return e;
	/* Without a descriptor the name is what it should be all the same, until the power goes. */
	e = env->files->sync_dir(env, dir);
	return e == ERR_NOFILES ? ERR_OK : e;
}

enum err logdir_remove(struct env *env, const char *dir, const char *name)
{
	char path[SMALL_PATH_MAX];
	enum err e;

	ASSERT(ends_with(str_of(name), "-delete"));
	join(path, dir, name);
	e = env->files->rmdir(env, path);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static void note(void *arg, const struct file_name *name)
{
	struct names *names = arg;

	if (!name->is_dir || strlen(name->name) >= LOGDIR_NAME_MAX)
		return;
	if (names->n == names->cap) {
		names->cap = names->cap ? 2 * names->cap : 64;
		names->v = mem_grow(names->v, (size_t)names->cap * sizeof(*names->v));
	}
	snprintf(names->v[names->n++], LOGDIR_NAME_MAX, "%s", name->name);
}

static bool ends_with(struct str text, const char *tail)
{
	size_t n = strlen(tail);

	return text.n >= n && memcmp(text.at + text.n - n, tail, n) == 0;
}

static void join(char out[SMALL_PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, SMALL_PATH_MAX, "%s/%s", dir, name);

	ASSERT(n > 0 && n < SMALL_PATH_MAX);
}
