/* out.c - a table of cells, each in two forms: for people and as JSON.
 *
 * Cells are collected first, because the columns of a table are as wide as their widest cell; every
 * other format is printed from the same cells, so no two of them can disagree. */
#include "controller/cli/out.h"
#include "common/base/text.h"
#include "controller/cli/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MIN_CELLS 64

static void print_table(const struct out *);
static void print_json(const struct out *);
static void print_jsonl(const struct out *);
static void print_csv(const struct out *);
static void print_names(const struct out *);
static bool sort_rows(struct out *);
static bool choose_columns(struct out *);

void out_begin(struct out *o, struct cli *cli, const char *kind, const struct out_column *columns,
	       int n_columns)
{
	*o = (struct out){ .cli = cli, .kind = kind, .columns = columns, .n_columns = n_columns };
}

void out_end(struct out *o)
{
	ASSERT(o->n_cells % o->n_columns == 0);
	if (!sort_rows(o) || !choose_columns(o)) {
		out_drop(o);
		return;
	}
	switch (o->cli->format) {
	case FORMAT_JSON: print_json(o); break;
	case FORMAT_JSONL: print_jsonl(o); break;
	case FORMAT_CSV: print_csv(o); break;
	case FORMAT_NAME: print_names(o); break;
	case FORMAT_TABLE:
	case FORMAT_WIDE:
	case FORMAT_KAFKA: print_table(o); break;
	}
	out_drop(o);
}

void out_drop(struct out *o)
{
	mem_free(o->cells);
	o->cells = NULL;
}

bool out_is_for_people(const struct cli *cli)
{
	return cli->format == FORMAT_TABLE || cli->format == FORMAT_WIDE ||
	       cli->format == FORMAT_KAFKA;
}

/* ---- cells --------------------------------------------------------------------------------- */

void out_cell(struct out *o, const char *text, const char *json)
{
	if (o->n_cells == o->cap) {
		o->cap = o->cap ? o->cap * 2 : MIN_CELLS;
		o->cells = mem_grow(o->cells, (size_t)o->cap * sizeof(*o->cells));
	}
	o->cells[o->n_cells++] = (struct out_cell){ text, json, o->color };
	o->color = OUT_PLAIN;
}

/* The JSON of a cell that only people will see is not made: nobody reads it but --sort-by. */
static bool needs_json(const struct out *o)
{
	return !out_is_for_people(o->cli) || o->cli->sort_by;
}

static const char *copy(struct out *o, struct str s)
{
	return cli_z(o->cli, s);
}

static const char *number(struct out *o, int64_t v)
{
	return arena_printf(&o->cli->mem, "%" PRId64, v).at;
}

void out_str(struct out *o, struct str s)
{
	struct text t;
	size_t cap = 6 * s.n + 8;

	if (str_null(s)) {
		out_none(o);
		return;
	}
	if (!needs_json(o)) {
		out_cell(o, s.n ? copy(o, s) : "-", "");
		return;
	}
	text_init(&t, arena_must(&o->cli->mem, cap), cap);
	text_json(&t, s);
	out_cell(o, s.n ? copy(o, s) : "-", t.at);
}

void out_z(struct out *o, const char *z)
{
	out_str(o, str_of(z));
}

void out_i64(struct out *o, int64_t v)
{
	const char *text = number(o, v);

	out_cell(o, text, text);
}

void out_none(struct out *o)
{
	out_cell(o, "-", "null");
}

void out_bytes(struct out *o, int64_t v)
{
	out_cell(o, o->cli->raw_units ? number(o, v) : text_of_bytes(o->cli, v), number(o, v));
}

void out_duration(struct out *o, int64_t ms)
{
	out_cell(o, o->cli->raw_units ? number(o, ms) : text_of_duration(o->cli, ms),
		 number(o, ms));
}

void out_bool(struct out *o, bool v)
{
	out_cell(o, v ? "yes" : "no", v ? "true" : "false");
}

void out_ids(struct out *o, const int32_t *v, int n)
{
	const char *list = text_of_ids(o->cli, v, n);

	out_cell(o, n ? list : "-",
		 needs_json(o) ? arena_printf(&o->cli->mem, "[%s]", list).at : "");
}

/* ---- --columns, --sort-by ------------------------------------------------------------------ */

static bool is_called(struct str name, const char *z)
{
	if (!z || strlen(z) != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		int a = tolower((unsigned char)name.at[i]), b = tolower((unsigned char)z[i]);

		if (a != b && !(strchr("-_ ", a) && strchr("-_ ", b)))
			return false;
	}
	return true;
}

/* By the title of the table or the key of the JSON.  -1 after a sentence. */
static int find_column(const struct out *o, struct str name)
{
	size_t cap = 1024;
	struct text t;

	for (int c = 0; c < o->n_columns; c++)
		if (is_called(name, o->columns[c].title) || is_called(name, o->columns[c].key))
			return c;
	text_init(&t, arena_must(&o->cli->mem, cap), cap);
	for (int c = 0; c < o->n_columns; c++)
		if (o->columns[c].key)
			text_printf(&t, "%s%s", t.n ? ", " : "", o->columns[c].key);
	o->cli->late_code = cli_fail(o->cli, CLI_USAGE, "no column %.*s; there are %s", (int)name.n,
				     name.at, t.at);
	return -1;
}

struct order {
	const struct out *out;
	int column;
	bool descending;
};

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct order *by = arg;
	int ra = *(const int *)a, rb = *(const int *)b, d;
	/* By the JSON, not the text: "9.5 MB" and "12 kB" are in the wrong order as texts, their
	 * bytes are not. */
	const char *x = by->out->cells[ra * by->out->n_columns + by->column].json;
	const char *y = by->out->cells[rb * by->out->n_columns + by->column].json;
	int64_t nx, ny;

	if (!parse_i64(str_of(x), &nx) && !parse_i64(str_of(y), &ny))
		d = (nx > ny) - (nx < ny);
	else
		d = strcmp(x, y);
	if (d == 0)
		return (ra > rb) - (ra < rb);
	return by->descending ? -d : d;
}

/* "-lag": the largest first. */
static bool sort_rows(struct out *o)
{
	const char *name = o->cli->sort_by;
	int n = o->n_cells / o->n_columns, *rows;
	struct order by = { .out = o, .descending = name && name[0] == '-' };
	size_t row_bytes = (size_t)o->n_columns * sizeof(*o->cells);
	struct out_cell *sorted;

	if (!name)
		return true;
	by.column = find_column(o, str_of(name + by.descending));
	if (by.column < 0 || n == 0)
		return by.column >= 0;
	rows = arena_must(&o->cli->mem, (size_t)n * sizeof(*rows));
	/* Row numbers are sorted, not rows: equal ones stay in the order in which they came. */
	for (int i = 0; i < n; i++)
		rows[i] = i;
	qsort_r(rows, (size_t)n, sizeof(*rows), compare_rows, &by);
	sorted = mem_grow(NULL, (size_t)n * row_bytes);
	for (int i = 0; i < n; i++)
		memcpy(&sorted[i * o->n_columns], &o->cells[rows[i] * o->n_columns], row_bytes);
	mem_free(o->cells);
	o->cells = sorted;
	o->cap = o->n_cells;
	return true;
}

#define CHOSEN_MAX 32

/* The named columns in the order named; also those that only -o wide would show. */
static bool choose_columns(struct out *o)
{
	struct str rest = str_of(o->cli->columns), name;
	int from[CHOSEN_MAX], n = 0, rows = o->n_cells / o->n_columns;
	struct out_column *columns;
	struct out_cell *cells;

	if (!o->cli->columns)
		return true;
	while (n < CHOSEN_MAX && str_cut(&rest, ',', &name))
		if ((from[n++] = find_column(o, str_trim(name))) < 0)
			return false;
	columns = arena_must(&o->cli->mem, (size_t)n * sizeof(*columns));
	cells = mem_grow(NULL, (size_t)(rows * n + 1) * sizeof(*cells));
	for (int c = 0; c < n; c++) {
		columns[c] = o->columns[from[c]];
		columns[c].how &= ~(unsigned)OUT_WIDE;
		for (int r = 0; r < rows; r++)
			cells[r * n + c] = o->cells[r * o->n_columns + from[c]];
	}
	mem_free(o->cells);
	o->cells = cells;
	o->columns = columns;
	o->n_columns = n;
	o->n_cells = o->cap = rows * n;
	return true;
}

/* ---- the formats --------------------------------------------------------------------------- */

static const struct out_cell *cell_at(const struct out *o, int row, int column)
{
	return &o->cells[row * o->n_columns + column];
}

static int rows_of(const struct out *o)
{
	return o->n_cells / o->n_columns;
}

/* Columns on the screen: code points, which is right for all that we print. */
static int width_of(const char *z)
{
	int n = 0;

	for (; *z; z++)
		n += ((unsigned char)*z & 0xc0) != 0x80;
	return n;
}

static bool shown(const struct out *o, int column)
{
	return !(o->columns[column].how & OUT_WIDE) || o->cli->format == FORMAT_WIDE;
}

static int last_shown(const struct out *o)
{
	int c = o->n_columns - 1;

	while (c > 0 && !shown(o, c))
		c--;
	return c;
}

static void print_cell(const struct out *o, int column, const char *text, const char *colored,
		       int width)
{
	bool last = column == last_shown(o);
	int pad = width - width_of(text);

	if (o->columns[column].how & OUT_RIGHT)
		printf("%*s%s", pad, "", colored);
	else
		printf("%s%*s", colored, last ? 0 : pad, "");
	fputs(last ? "" : "  ", stdout);
}

static void print_table(const struct out *o)
{
	int *width = arena_must(&o->cli->mem, (size_t)o->n_columns * sizeof(int));
	int rows = rows_of(o);

	for (int c = 0; c < o->n_columns; c++) {
		width[c] = o->cli->headers ? width_of(o->columns[c].title) : 0;
		for (int r = 0; r < rows; r++)
			width[c] = i32_max(width[c], width_of(cell_at(o, r, c)->text));
	}
	for (int r = o->cli->headers ? -1 : 0; r < rows; r++) {
		for (int c = 0; c < o->n_columns; c++) {
			const char *text = r < 0 ? o->columns[c].title : cell_at(o, r, c)->text;
			const char *bold =
				o->cli->color
					? arena_printf(&o->cli->mem, "\033[1m%s\033[0m", text).at
					: text;

			if (!shown(o, c))
				continue;
			print_cell(o, c, text,
				   r < 0 ? bold
					 : text_colored(o->cli, cell_at(o, r, c)->color, text),
				   width[c]);
		}
		putchar('\n');
	}
}

static void print_row_json(const struct out *o, int row)
{
	const char *comma = "";

	putchar('{');
	for (int c = 0; c < o->n_columns; c++) {
		if (!o->columns[c].key)
			continue;
		printf("%s\"%s\":%s", comma, o->columns[c].key, cell_at(o, row, c)->json);
		comma = ",";
	}
	putchar('}');
}

/* version is that of the form: a reader of today must understand tomorrow's additions. */
static void print_json(const struct out *o)
{
	printf("{\"kind\":\"%s\",\"version\":1,\"items\":[", o->kind);
	for (int r = 0; r < rows_of(o); r++) {
		fputs(r ? ",\n" : "\n", stdout);
		print_row_json(o, r);
	}
	puts("]}");
}

static void print_jsonl(const struct out *o)
{
	for (int r = 0; r < rows_of(o); r++) {
		print_row_json(o, r);
		putchar('\n');
	}
}

/* RFC 4180: the JSON value, lists and texts quoted, quotes doubled. */
static void print_csv_value(const char *json)
{
	size_t n = strlen(json);

	if (strcmp(json, "null") == 0)
		return;
	if (json[0] != '"' && json[0] != '[') {
		fputs(json, stdout);
		return;
	}
	putchar('"');
	for (size_t i = 1; i + 1 < n; i++) {
		if (json[0] == '[' && json[i] == '"')
			continue; /* texts in a list are names */
		if (json[i] == '\\' && (json[i + 1] == '"' || json[i + 1] == '\\'))
			i++;
		putchar(json[i]);
		if (json[i] == '"')
			putchar('"');
	}
	putchar('"');
}

static void print_csv(const struct out *o)
{
	for (int r = o->cli->headers ? -1 : 0; r < rows_of(o); r++) {
		const char *comma = "";

		for (int c = 0; c < o->n_columns; c++) {
			if (!o->columns[c].key)
				continue;
			fputs(comma, stdout);
			comma = ",";
			if (r < 0)
				fputs(o->columns[c].key, stdout);
			else
				print_csv_value(cell_at(o, r, c)->json);
		}
		putchar('\n');
	}
}

static void print_names(const struct out *o)
{
	for (int r = 0; r < rows_of(o); r++)
		puts(cell_at(o, r, 0)->text);
}

/* ---- texts for people ---------------------------------------------------------------------- */

const char *text_of_bytes(struct cli *cli, int64_t bytes)
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 999.5 && u + 1 < ARRAY_LEN(unit)) {
		v /= 1000;
		u++;
	}
	return arena_printf(&cli->mem, u == 0 || v >= 99.95 ? "%.0f %s" : "%.1f %s", v, unit[u]).at;
}

const char *text_of_duration(struct cli *cli, int64_t ms)
{
	int64_t s = ms / 1000;

	if (ms < 1000)
		return arena_printf(&cli->mem, "%dms", (int)ms).at;
	if (s < 10)
		return arena_printf(&cli->mem, "%d.%ds", (int)s, (int)(ms % 1000 / 100)).at;
	if (s < 60)
		return arena_printf(&cli->mem, "%ds", (int)s).at;
	if (s < 3600)
		return arena_printf(&cli->mem, "%dm%02ds", (int)(s / 60), (int)(s % 60)).at;
	if (s < 86400)
		return arena_printf(&cli->mem, "%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60)).at;
	return arena_printf(&cli->mem, "%" PRId64 "d%02dh", s / 86400, (int)(s / 3600 % 24)).at;
}

const char *text_of_ids(struct cli *cli, const int32_t *v, int n)
{
	size_t cap = 12 * (size_t)n + 1;
	struct text t;

	text_init(&t, arena_must(&cli->mem, cap), cap);
	for (int i = 0; i < n; i++)
		text_printf(&t, "%s%d", i ? "," : "", v[i]);
	return t.at;
}

const char *text_of_time(struct cli *cli, int64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	char text[32];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return "-";
	return arena_printf(&cli->mem, "%s.%03dZ", text, (int)(wall_ms % 1000)).at;
}

const char *text_colored(struct cli *cli, enum out_color color, const char *text)
{
	static const char *const code[] = { "", "31", "33", "32", "2" };

	if (!cli->color || color == OUT_PLAIN)
		return text;
	return arena_printf(&cli->mem, "\033[%sm%s\033[0m", code[color], text).at;
}
