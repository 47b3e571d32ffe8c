/* command_find.c - looking things up in the table of commands: by path, by word, by flag. */
#include "common/base/text.h"
#include "controller/cli/commands.h"

static const char *const aliases[][2] = {
	{ "topic", "topics" },
	{ "t", "topics" },
	{ "broker", "brokers" },
	{ "b", "brokers" },
	{ "partition", "partitions" },
	{ "part", "partitions" },
	{ "p", "partitions" },
	{ "leader", "leaders" },
	{ "replica", "replicas" },
	{ "config", "configs" },
	{ "profiles", "profile" },
	{ "show", "describe" },
	{ "ls", "list" },
};

const char *command_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(word, aliases[i][0]) == 0)
			return aliases[i][1];
	return word;
}

void command_each_alias(void (*each)(const char *alias, const char *word))
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		each(aliases[i][0], aliases[i][1]);
}

bool command_is_hidden(const struct cmd *c)
{
	return c->path[0] == '_';
}

bool command_begins(const struct cmd *c, const char *path)
{
	size_t n = strlen(path);

	return strncmp(c->path, path, n) == 0 &&
	       (n == 0 || c->path[n] == '\0' || c->path[n] == ' ');
}

const struct cmd *command_of_noun(const char *noun)
{
	for (int i = 0; i < n_commands; i++)
		if (command_begins(&commands[i], noun))
			return &commands[i];
	return NULL;
}

/* Is the path a command, or the beginning of one? */
static bool is_beginning(const char *path, const struct cmd **exact)
{
	bool found = false;

	*exact = NULL;
	for (int i = 0; i < n_commands; i++) {
		if (!command_begins(&commands[i], path))
			continue;
		if (strcmp(commands[i].path, path) == 0)
			*exact = &commands[i];
		found = true;
	}
	return found;
}

bool command_extend(char *path, size_t cap, const char *word, const struct cmd **exact)
{
	const char *words[] = { word, command_word(word) };
	size_t n = strlen(path);
	struct text t;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		text_init(&t, path + n, cap - n);
		text_printf(&t, "%s%s", n ? " " : "", words[i]);
		if (!t.cut && is_beginning(path, exact))
			return true;
	}
	path[n] = '\0';
	*exact = NULL;
	return false;
}

/* ---- flags ----------------------------------------------------------------------------------- */

static const struct flag *find_flag(const struct flag *flags, int n, struct str name)
{
	for (int i = 0; i < n && flags[i].name; i++)
		if ((name.n == 1 && flags[i].letter == name.at[0]) ||
		    str_eq(str_of(flags[i].name), name))
			return &flags[i];
	return NULL;
}

const struct flag *command_flag(const struct cmd *c, struct str name)
{
	const struct flag *own = c ? find_flag(c->flags, CMD_FLAGS_MAX, name) : NULL;

	return own ? own : find_flag(global_flags, n_global_flags, name);
}

const char *flag_example(const struct flag *f)
{
	static const char *const examples[][2] = {
		{ "DIR", "/var/lib/weir" },
		{ "EVERY", "5s" },
		{ "FILE", "./file" },
		{ "FORMAT", "json" },
		{ "HOST:PORT,...", "localhost:9092" },
		{ "ID", "1" },
		{ "ID,ID,...", "1,2,3" },
		{ "KEY=VALUE", "retention.ms=86400000" },
		{ "N", "3" },
		{ "N..M", "100..200" },
		{ "NAME", "dev" },
		{ "NAME,...", "topic,partition" },
		{ "OFFSET", "100" },
		{ "OFFSET|TIME", "100" },
		{ "PORT", "19092" },
		{ "RATE", "50MB/s" },
		{ "SECONDS", "30" },
		{ "TIME", "60s" },
		{ "TOPIC,...", "orders" },
		{ "TOPIC-PARTITION", "orders-0" },
		{ "TYPE,...", "leader,isr" },
		{ "WHAT", "topic" },
		{ "WHEN", "always" },
		{ "[-]NAME", "-topic" },
	};
	const char *kind = f->value + (f->value[0] == '=' || f->value[0] == '?');

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		if (strcmp(examples[i][0], kind) == 0)
			return examples[i][1];
	return "VALUE";
}
