/* out.c - a table of cells, each in two forms: for people and as JSON.
 *
 * Cells are collected first, because the columns of a table are as wide as their widest cell; every
 * other format is printed from the same cells, so no two of them can disagree. */
#include "controller/cli/out.h"
#include "common/base/text.h"
#include "controller/cli/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MIN_CELLS 64

static void print_table(const struct out *);
static void print_json(const struct out *);
static void print_jsonl(const struct out *);
static void print_csv(const struct out *);
static void print_names(const struct out *);
static const char *text_of_bytes(struct cli *, int64_t);

void out_begin(struct out *o, struct cli *cli, const char *kind, const struct out_column *columns,
	       int n_columns)
{
	*o = (struct out){ .cli = cli, .kind = kind, .columns = columns, .n_columns = n_columns };
}

void out_end(struct out *o)
{
	ASSERT(o->n_cells % o->n_columns == 0);
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
	out_cell(o, text_of_bytes(o->cli, v), number(o, v));
}

void out_duration(struct out *o, int64_t ms)
{
	out_cell(o, text_of_duration(o->cli, ms), number(o, ms));
}

void out_bool(struct out *o, bool v)
{
	out_cell(o, v ? "yes" : "no", v ? "true" : "false");
}

void out_ids(struct out *o, const int32_t *v, int n)
{
	const char *list = text_of_ids(o->cli, v, n);

	out_cell(o, n ? list : "-", arena_printf(&o->cli->mem, "[%s]", list).at);
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

static const char *text_of_bytes(struct cli *cli, int64_t bytes)
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
