/* compat_voters.c - kafka-metadata-quorum add-controller and remove-controller.
 *
 * As Kafka's tool has it, the controller that is to vote is described by its own properties file,
 * --command-config, and by meta.properties in its directory: run it on that machine. */
#include "common/base/text.h"
#include "controller/cli/compat.h"
#include "controller/cli/files.h"
#include "controller/cli/link.h"

#include <stdio.h>

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	return CLI_FAILED;
}

/* ---- the controller as its files say --------------------------------------------------------- */

struct candidate {
	int32_t id;
	struct uuid directory;
	const char *endpoints; /* "CONTROLLER://host:9093, ..." */
};

static bool is_listed(struct str list, struct str name)
{
	struct str one;

	while (str_cut(&list, ',', &one))
		if (str_eq(str_trim(one), name))
			return true;
	return false;
}

/* Those of its listeners that are for controllers. */
static const char *endpoints_of(struct cli *cli, struct str conf)
{
	struct str names = properties_get(conf, "controller.listener.names");
	struct str rest = properties_get(conf, "advertised.listeners"), one;
	struct text t;
	size_t cap;

	if (str_null(rest))
		rest = properties_get(conf, "listeners");
	cap = rest.n * 2 + 1;
	text_init(&t, arena_must(&cli->mem, cap), cap);
	while (!str_null(rest) && str_cut(&rest, ',', &one)) {
		struct str whole = str_trim(one), scheme, after = whole;

		if (!str_cut(&after, ':', &scheme) || !is_listed(names, scheme))
			continue;
		text_printf(&t, "%s%.*s", t.n ? ", " : "", (int)whole.n, whole.at);
	}
	return t.at;
}

static bool read_directory(struct cli *cli, struct str conf, struct uuid *out)
{
	static const char *const below[] = { "", "/weir-controller" };
	struct str dir = properties_get(conf, "metadata.log.dir"), all, text, id;

	if (str_null(dir)) {
		all = properties_get(conf, "log.dirs");
		if (str_null(all) || !str_cut(&all, ',', &dir))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		const char *path = arena_printf(&cli->mem, "%.*s%s/meta.properties", (int)dir.n,
						dir.at, below[i])
					   .at;

		if (file_read_all(cli, path, &text))
			continue;
		id = properties_get(text, "directory.id");
		if (!str_null(id) && uuid_parse(id, out) == ERR_OK)
			return true;
	}
	return false;
}

static int read_candidate(struct cli *cli, struct candidate *out)
{
	const char *path = cli_flag(cli, "command-config");
	struct str conf, id;

	if (!path)
		return fail("add-controller",
			    "--command-config with the controller's file is needed");
	if (file_read_all(cli, path, &conf))
		return fail(path, "no such file");
	id = properties_get(conf, "node.id");
	if (str_null(id) || parse_i32(id, &out->id) || out->id < 0)
		return fail(path, "node.id is not in it");
	if (!read_directory(cli, conf, &out->directory))
		return fail(path, "neither metadata.log.dir nor log.dirs names a directory with a "
				  "controller's meta.properties");
	out->endpoints = endpoints_of(cli, conf);
	return CLI_OK;
}

/* ---- the commands ---------------------------------------------------------------------------- */

static int change(struct cli *cli, const Weir__Request *request, const char *what)
{
	Weir__Response *response;

	if (cli_switch(cli, "dry-run"))
		return CLI_OK;
	return link_call(cli, request, what, &response) ? CLI_FAILED : CLI_OK;
}

int compat_add_controller(struct cli *cli)
{
	Weir__AddVoter add = WEIR__ADD_VOTER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	struct candidate c = { 0 };
	char directory[UUID_TEXT];
	int code = read_candidate(cli, &c);

	if (code)
		return code;
	add.id = c.id;
	add.has_directory_id = add.has_timeout_ms = true;
	add.directory_id = (ProtobufCBinaryData){ sizeof(c.directory.b), c.directory.b };
	add.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_ADD_VOTER;
	request.add_voter = &add;
	if ((code = change(cli, &request, "add the controller")))
		return code;
	uuid_text(c.directory, directory);
	printf("%s controller %d with directory id %s and endpoints: %s\n",
	       cli_switch(cli, "dry-run") ? "DRY RUN of adding" : "Added", c.id, directory,
	       c.endpoints);
	return CLI_OK;
}

int compat_remove_controller(struct cli *cli)
{
	const char *id = cli_flag(cli, "controller-id");
	const char *directory = cli_flag(cli, "controller-directory-id");
	Weir__RemoveVoter rm = WEIR__REMOVE_VOTER__INIT;
	Weir__Request request = WEIR__REQUEST__INIT;
	struct uuid dir;
	int code;

	if (!id || !directory)
		return compat_usage(cli, "usage: kafka-metadata-quorum remove-controller "
					 "--controller-id ID --controller-directory-id ID");
	if (parse_i32(str_of(id), &rm.id) || rm.id < 0)
		return fail(id, "no --controller-id");
	if (uuid_parse(str_of(directory), &dir))
		return fail(directory, "no --controller-directory-id");
	rm.has_directory_id = rm.has_timeout_ms = true;
	rm.directory_id = (ProtobufCBinaryData){ sizeof(dir.b), dir.b };
	rm.timeout_ms = (int32_t)cli->timeout_ms;
	request.body_case = WEIR__REQUEST__BODY_REMOVE_VOTER;
	request.remove_voter = &rm;
	if ((code = change(cli, &request, "remove the controller")))
		return code;
	printf("%s KRaft controller %s with directory id %s\n",
	       cli_switch(cli, "dry-run") ? "DRY RUN of removing " : "Removed ", id, directory);
	return CLI_OK;
}
