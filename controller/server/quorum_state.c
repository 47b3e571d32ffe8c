/* quorum_state.c - two slots and their checks; the bytes are in quorum_state.h.
 *
 * Both slots damaged is not a torn write: the older one was synced long ago.  Voting again in a
 * term that has been voted in could make two leaders of it, so opening is refused. */
#include "controller/server/quorum_state.h"

#include <stdio.h>

#include "common/base/arena_pb.h"
#include "common/base/crc32c.h"
#include "common/base/endian.h"

#define HEAD 16

static enum err settle(struct env *, const char *dir, struct quorum_state_file *,
		       const uint8_t *packed, size_t n);

static void path_of(const char *dir, const char *suffix, char out[4096])
{
	int n = snprintf(out, 4096, "%s/quorum-state%s", dir, suffix);

	ASSERT(n > 0 && n < 4096);
}

/* NULL: empty, torn or damaged. */
static Weir__QuorumState *read_slot(const uint8_t *at, size_t n, struct arena *a, uint64_t *number)
{
	ProtobufCAllocator take = arena_pb(a);
	uint32_t size;

	if (n < HEAD || (size = load_be32(at)) > n - HEAD || size > QUORUM_STATE_MAX)
		return NULL;
	if (load_be32(at + 4) != crc32c(0, at + 8, HEAD - 8 + size))
		return NULL;
	*number = load_be64(at + 8);
	return weir__quorum_state__unpack(&take, size, at + HEAD);
}

enum err quorum_state_open(struct env *env, const char *dir, struct quorum_state_file *f,
			   struct arena *a, Weir__QuorumState **out, char *why, size_t cap)
{
	uint8_t *bytes = arena_must(a, 2 * QUORUM_SLOT);
	const uint8_t *newest = NULL;
	char path[4096];
	size_t got = 0;
	enum err e;

	path_of(dir, "", path);
	*f = (struct quorum_state_file){ NULL, 0 };
	*out = NULL;
	e = env->files->open(env, path, FILE_READ | FILE_WRITE, &f->file);
	if (e == ERR_NOT_FOUND)
		return ERR_OK;
	if (e == ERR_OK)
		e = f->file->ops->read(f->file, bytes, 2 * QUORUM_SLOT, 0, &got);
	if (e != ERR_OK) {
		(void)snprintf(why, cap, "%s: cannot be read: %s", path, err_text(e));
		return e;
	}
	for (size_t at = 0; at < got; at += QUORUM_SLOT) {
		uint64_t number = 0;
		Weir__QuorumState *m =
			read_slot(bytes + at, size_min(got - at, QUORUM_SLOT), a, &number);

		/* A torn write leaves the slot of the write before it whole: the higher number that
		 * checks is the one. */
		if (m == NULL || number <= f->writes)
			continue;
		f->writes = number;
		newest = bytes + at;
		*out = m;
	}
	if (*out != NULL) {
		e = settle(env, dir, f, newest + HEAD, load_be32(newest));
		if (e != ERR_OK)
			(void)snprintf(why, cap, "%s: cannot be made durable: %s", path,
				       err_text(e));
		return e;
	}
	/* One slot only, and not whole: the very first write was torn, nothing was promised. */
	if (got <= QUORUM_SLOT)
		return ERR_OK;
	(void)snprintf(why, cap,
		       "%s is damaged: how this controller voted is not known; set the directory "
		       "aside and start on an empty one, as a new member",
		       path);
	return ERR_CORRUPT;
}

static uint8_t *slot_of(uint8_t *slots, uint64_t number)
{
	return slots + (number + 1) % 2 * QUORUM_SLOT;
}

static void fill_slot(uint8_t *slot, uint64_t number, const uint8_t *packed, size_t n)
{
	store_be32(slot, (uint32_t)n);
	store_be64(slot + 8, number);
	if (n > 0)
		memcpy(slot + HEAD, packed, n);
	store_be32(slot + 4, crc32c(0, slot + 8, HEAD - 8 + n));
}

/* What was read may be in the page cache alone: after a failed sync it counts as clean there, and
 * no further sync of that file brings it to the device.  A vote that the next power loss takes back
 * would be given twice, so it goes to a new file before anybody acts on it. */
static enum err settle(struct env *env, const char *dir, struct quorum_state_file *f,
		       const uint8_t *packed, size_t n)
{
	uint8_t slots[2 * QUORUM_SLOT] = { 0 };
	struct file_iov iov = { slots, sizeof(slots) };
	char path[4096], fresh[4096];
	enum err e;

	fill_slot(slot_of(slots, f->writes), f->writes, packed, n);
	f->writes++;
	fill_slot(slot_of(slots, f->writes), f->writes, packed, n);
	file_put(f->file);
	f->file = NULL;
	path_of(dir, "", path);
	path_of(dir, ".new", fresh);
	e = env->files->open(env, fresh, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE,
			     &f->file);
	if (e != ERR_OK)
		return e;
	e = f->file->ops->writev(f->file, &iov, 1, 0);
	if (e == ERR_OK)
		e = f->file->ops->sync(f->file);
	if (e == ERR_OK && (e = env->files->rename(env, fresh, path)) == ERR_OK)
		e = env->files->sync_dir(env, dir);
	return e;
}

enum err quorum_state_write(struct env *env, const char *dir, struct quorum_state_file *f,
			    const uint8_t *packed, size_t n)
{
	uint8_t slot[QUORUM_SLOT] = { 0 };
	struct file_iov iov = { slot, sizeof(slot) };
	char path[4096];
	bool is_first = f->writes == 0;
	enum err e = ERR_OK;

	ASSERT(n <= QUORUM_STATE_MAX);
	fill_slot(slot, ++f->writes, packed, n);
	path_of(dir, "", path);
	if (f->file == NULL)
		e = env->files->open(env, path, FILE_READ | FILE_WRITE | FILE_CREATE, &f->file);
	if (e == ERR_OK)
		e = f->file->ops->writev(f->file, &iov, 1,
					 (int64_t)((f->writes + 1) % 2) * QUORUM_SLOT);
	if (e == ERR_OK)
		e = f->file->ops->sync(f->file);
	/* A new file is only found again after a power loss when its directory is synced. */
	if (e == ERR_OK && is_first)
		e = env->files->sync_dir(env, dir);
	return e;
}

void quorum_state_close(struct quorum_state_file *f)
{
	file_put(f->file);
	f->file = NULL;
}
