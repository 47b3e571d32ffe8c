/* out.h - a list of equal things: printed as a table, as JSON, as CSV or as names.
 *
 * Give the columns once, then the cells row by row and column by column, then out_end; the
 * format was chosen by -o.  Cells are copied into cli->mem.  In a table "-" stands for nothing. */
#pragma once
#include "controller/cli/cli.h"

enum out_how {
	OUT_LEFT = 0,
	OUT_RIGHT = 1, /* numbers */
	OUT_WIDE = 2,  /* only with -o wide (and in JSON) */
};
struct out_column {
	const char *title; /* of the table */
	const char *key;   /* of the JSON field; NULL: a mark for people only */
	unsigned how;
};

enum out_color { OUT_PLAIN, OUT_RED, OUT_YELLOW, OUT_GREEN, OUT_DIM };

struct out_cell {
	const char *text, *json;
	enum out_color color;
};
struct out {
	struct cli *cli;
	const char *kind;
	const struct out_column *columns;
	int n_columns;
	struct out_cell *cells;
	int n_cells, cap;
	enum out_color color; /* of the next cell only */
};

void out_begin(struct out *, struct cli *, const char *kind, const struct out_column *,
	       int n_columns);
void out_str(struct out *, struct str);
void out_z(struct out *, const char *);
void out_i64(struct out *, int64_t);
void out_none(struct out *);                        /* "-", null */
void out_bytes(struct out *, int64_t);              /* "118 MB", 118000000 */
void out_duration(struct out *, int64_t ms);        /* "3m12s", 192000 */
void out_ids(struct out *, const int32_t *, int n); /* "1,2,3", [1,2,3] */
void out_bool(struct out *, bool);                  /* "yes", true */
void out_cell(struct out *, const char *text, const char *json);
void out_end(struct out *);  /* prints */
void out_drop(struct out *); /* instead of out_end: prints nothing */

/* Is the answer for people's eyes?  Changes are told as sentences then, else as rows. */
must_check bool out_is_for_people(const struct cli *);
/* Pieces of text for people, in cli->mem. */
const char *text_of_duration(struct cli *, int64_t ms);
const char *text_of_bytes(struct cli *, int64_t);
const char *text_of_ids(struct cli *, const int32_t *, int n);
const char *text_of_time(struct cli *, int64_t wall_ms); /* RFC 3339, UTC */
/* Wraps in a colour when stdout takes colours. */
const char *text_colored(struct cli *, enum out_color, const char *);
