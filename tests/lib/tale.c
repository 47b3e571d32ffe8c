/* tale.c - reads, performs, compares; in the order of names, whatever the locale. */
#include "tests/lib/tale.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/test.h"

#define TEXT_MAX 65536
static const char dashes[] = "----\n";

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static size_t slurp(const char *path, char *to, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(to, 1, cap - 1, f) : 0;

	if (f)
		fclose(f);
	to[n] = 0;
	return n;
}

static void run(const char *path,
		void (*perform)(const char *path, struct str script, struct text *tale))
{
	static char file[TEXT_MAX], got[TEXT_MAX];
	size_t n = slurp(path, file, sizeof(file));
	char *cut = strstr(file, dashes);
	struct text tale;
	FILE *f;

	if (n == 0 || cut == NULL) {
		FAIL("%s: no script, or no line of dashes", path);
		return;
	}
	text_init(&tale, got, sizeof(got));
	perform(path, (struct str){ file, (size_t)(cut - file) }, &tale);
	cut += sizeof(dashes) - 1;
	if (strcmp(cut, got) == 0)
		return;
	if (getenv("STORY_UPDATE") == NULL) {
		FAIL("%s tells another story:\n%s", path, got);
		return;
	}
	*cut = 0;
	if ((f = fopen(path, "w")) != NULL) {
		fprintf(f, "%s%s", file, got);
		fclose(f);
	}
}

void tales_run(const char *dir,
	       void (*perform)(const char *path, struct str script, struct text *tale))
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, by_name), ran = 0;

	for (int i = 0; i < n; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (strstr(names[i]->d_name, ".txt") != NULL) {
			run(path, perform);
			ran++;
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	EXPECT(ran > 0);
}
