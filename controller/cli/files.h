/* files.h - small files read and written whole. */
#pragma once
#include "controller/cli/cli.h"

/* The text in cli->mem; ERR_NOT_FOUND when there is no such file, ERR_LIMIT when it has no end. */
must_check enum err file_read_all(struct cli *, const char *path, struct str *);
/* Replaces our own files, through a temporary name; ERR_EXISTS: what is there is no file. */
must_check enum err file_write_all(const char *path, struct str);
/* Where somebody chose the name: ERR_EXISTS when anything has it already. */
must_check enum err file_write_new(const char *path, struct str);
must_check enum err dirs_make(const char *path); /* and its parents */
/* The last value of `key` in Java-properties text written by us: one key=value a line. */
struct str properties_get(struct str text, const char *key); /* null: not there */
