/* ask.c - see ask.h. */
#include "controller/cli/ask.h"

enum err ask_broker(struct cli *cli, const struct image_broker *b, const struct kafka_call *call,
		    int64_t patience_ms)
{
	int64_t deadline_ms = cli_now_ms() + i64_min(patience_ms, cli->timeout_ms);
	struct kafka k;
	enum err e;

	if (b->n_endpoints == 0)
		return ERR_NOT_FOUND;
	if (cli_flag(cli, "saved"))
		return ERR_REFUSED;
	e = kafka_open(&k, cli,
		       (struct addr){ cli_z(cli, b->endpoints[0].host), b->endpoints[0].port },
		       deadline_ms);
	if (!e)
		e = kafka_exchange(&k, call, deadline_ms);
	kafka_close(&k);
	return e;
}

enum err ask_any(struct cli *cli, const struct image *image, int32_t id,
		 const struct kafka_call *call, int64_t patience_ms)
{
	enum err e = ERR_NOT_FOUND;

	for (int32_t i = 0; e && i < image->n_brokers; i++) {
		const struct image_broker *b = image->brokers[i];

		if (!b->is_fenced && (id < 0 || b->id == id))
			e = ask_broker(cli, b, call, patience_ms);
	}
	return e;
}
