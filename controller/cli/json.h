/* json.h - a streaming JSON writer on stdout for answers that are not lists of equal things.
 *
 * key NULL inside arrays and at the top.  Nesting is the caller's to close; checked by ASSERT. */
#pragma once
#include "controller/cli/cli.h"

#define JSON_DEPTH_MAX 16
struct json {
	bool used[JSON_DEPTH_MAX]; /* something stands at this depth already */
	char closing[JSON_DEPTH_MAX];
	int depth;
};

void json_object(struct json *, const char *key);
void json_array(struct json *, const char *key);
void json_close(struct json *);
void json_end(struct json *); /* a newline; asserts that all is closed */
void json_str(struct json *, const char *key, struct str);
void json_i64(struct json *, const char *key, int64_t);
void json_bool(struct json *, const char *key, bool);
void json_ids(struct json *, const char *key, const int32_t *, int n);
