/* json_read.h - a JSON text as a tree of values, for the small files that operators write.
 *
 * Everything lies in the arena, texts are unescaped copies.  At most JSON_NEST_MAX deep.  Numbers
 * are whole: fractions and exponents are refused. */
#pragma once
#include "common/base/arena.h"

#define JSON_NEST_MAX 16
enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_TEXT, JSON_LIST, JSON_OBJECT };

struct json_value {
	enum json_kind kind;
	int64_t number;                  /* of JSON_INT and JSON_BOOL */
	struct str text;                 /* of JSON_TEXT */
	struct str key;                  /* its name, in an object */
	struct json_value *first, *next; /* of lists and objects; the sibling */
	int n;
};

/* ERR_CORRUPT: `*at` is where it stops making sense. */
must_check enum err json_read(struct arena *, struct str text, struct json_value **out, size_t *at);
/* The member of an object; NULL when there is none, or it is no object. */
const struct json_value *json_member(const struct json_value *, const char *key);
