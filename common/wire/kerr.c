/* kerr.c - lookups in the table of Kafka's error codes (kerr_rows.h).
 *
 * Codes run from -1 to 133 without large gaps, so the array is indexed by code + 1. */
#include "common/wire/kerr.h"

static const struct row {
	const char *name, *text;
	bool is_retriable;
} rows[] = {
#define KERR_ROW(name, code, retriable, text) [(code) + 1] = { #name, text, retriable },
	KERR_ROWS(KERR_ROW)
#undef KERR_ROW
};

static const struct row *find(int code)
{
	static const struct row unknown = { "UNKNOWN_CODE", "an error code that is not known",
					    false };

	if (code < -1 || code + 1 >= (int)ARRAY_LEN(rows) || !rows[code + 1].name)
		return &unknown;
	return &rows[code + 1];
}

const char *kerr_name(int code)
{
	return find(code)->name;
}

const char *kerr_text(int code)
{
	return find(code)->text;
}

bool kerr_retriable(int code)
{
	return find(code)->is_retriable;
}

bool kerr_parse(struct str name, enum kerr *out)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].name && str_eq(name, str_of(rows[i].name))) {
			*out = (enum kerr)((int)i - 1);
			return true;
		}
	}
	return false;
}
