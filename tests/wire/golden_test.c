/* Frames written by hand after the protocol's description, one per file of tests/wire/golden.
 *
 *   request|response Name version [unknown-tags]    the first line
 *   0003 "text"  # comment                          the frame, with its size prefix
 *   = {...}                                         what schema_print makes of the body
 *
 * Each must decode to that text and encode to the very same bytes, unless it holds tags from a
 * later version, which we drop. */
#include "common/wire/header.h"
#include "common/wire/schema.h"
#include "kafka/apis.h"
#include "tests/lib/test.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/wire/golden"
enum { BYTES_MAX = 4096, FILES_MIN = 15 };

struct golden {
	char side[16], api[64], note[16];
	int version;
	uint8_t frame[BYTES_MAX];
	size_t n;
	char printed[BYTES_MAX];
};

static bool load(const char *path, struct golden *);
static void add_bytes(struct golden *, const char *line);
static void check(const struct golden *);
static void check_body(const struct golden *, const struct kafka_api *, struct reader *,
		       const struct request_header *);
static const struct kafka_api *api_named(const char *name);

TEST(golden_frames)
{
	DIR *dir = opendir(FOLDER);
	int n = 0;

	if (!EXPECT(dir))
		return;
	for (struct dirent *file; (file = readdir(dir));) {
		static struct golden g;
		char path[512];
		bool was_failed = test_failed();

		if (!strstr(file->d_name, ".hex"))
			continue;
		snprintf(path, sizeof(path), FOLDER "/%s", file->d_name);
		memset(&g, 0, sizeof(g));
		if (EXPECT(load(path, &g)))
			check(&g);
		if (test_failed() && !was_failed)
			FAIL("%s", path);
		n++;
	}
	closedir(dir);
	EXPECT(n >= FILES_MIN);
}

static bool load(const char *path, struct golden *g)
{
	FILE *f = fopen(path, "r");
	char line[256];
	size_t printed = 0;

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f) ||
	    sscanf(line, "%15s %63s %d %15s", g->side, g->api, &g->version, g->note) < 3) {
		fclose(f);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '=') {
			add_bytes(g, line);
			continue;
		}
		printed += (size_t)snprintf(g->printed + printed, sizeof(g->printed) - printed,
					    "%s", line + 2);
	}
	fclose(f);
	return true;
}

static void add_bytes(struct golden *g, const char *line)
{
	while (*line && *line != '#') {
		const char pair[3] = { line[0], line[1], '\0' };

		if (*line == '"') {
			for (line++; *line != '"'; line++)
				g->frame[g->n++] = (uint8_t)*line;
			line++;
		} else if (isspace((unsigned char)*line)) {
			line++;
		} else {
			ASSERT(isxdigit((unsigned char)pair[0]) &&
			       isxdigit((unsigned char)pair[1]));
			g->frame[g->n++] = (uint8_t)strtoul(pair, NULL, 16);
			line += 2;
		}
	}
	ASSERT(g->n < sizeof(g->frame) - sizeof(g->printed) / 8);
}

static void check(const struct golden *g)
{
	const struct kafka_api *api = api_named(g->api);
	struct request_header head = { 0 };
	struct reader r;

	if (!EXPECT(api))
		return;
	reader_init(&r, g->frame, g->n);
	EXPECT_EQ(reader_i32(&r), g->n - 4);
	if (strcmp(g->side, "request") == 0) {
		EXPECT_OK(request_header_decode(&r, &head));
		EXPECT_EQ(head.api_key, api->key);
		EXPECT_EQ(head.api_version, g->version);
	} else {
		EXPECT_OK(response_header_decode(&r, api->key, g->version, &head.correlation_id));
	}
	check_body(g, api, &r, &head);
}

static void check_body(const struct golden *g, const struct kafka_api *api, struct reader *r,
		       const struct request_header *head)
{
	const bool is_request = strcmp(g->side, "request") == 0;
	const struct schema *s = is_request ? api->request : api->response;
	struct bufpool *pool = bufpool_new(1 << 16);
	char room[BYTES_MAX];
	struct arena arena;
	struct writer w;
	struct text text;
	void *message;

	arena_init(&arena, 1 << 20);
	message = arena_must(&arena, s->size);
	EXPECT_OK(schema_decode(s, g->version, r, &arena, message));
	EXPECT_EQ(reader_left(r), 0);
	text_init(&text, room, sizeof(room));
	schema_print(s, g->version, message, &text);
	EXPECT_Z(text.at, g->printed);
	writer_init(&w, pool, 0);
	if (is_request)
		request_begin(&w, head);
	else
		response_begin(&w, api->key, g->version, head->correlation_id);
	schema_encode(s, g->version, message, &w);
	frame_end(&w);
	if (strcmp(g->note, "unknown-tags") == 0)
		EXPECT(w.out->len < g->n);
	else if (EXPECT_EQ(w.out->len, g->n))
		EXPECT_MEM(w.out->at, g->frame, g->n);
	writer_fini(&w);
	arena_fini(&arena);
	bufpool_free(pool);
}

static const struct kafka_api *api_named(const char *name)
{
	for (int i = 0; i < KAFKA_APIS; i++)
		if (strcmp(kafka_apis[i].name, name) == 0)
			return &kafka_apis[i];
	return NULL;
}
