/* link.h - the way to the control plane: through any broker, or straight to a controller.
 *
 * Where to: --controller, else -b, else WEIR_CONTROLLER, WEIR_BOOTSTRAP, else the local cluster
 * that `weir local up` started last, else localhost:9092.  Each address is tried in turn; the
 * connection is kept for the run.
 *
 * While no controller answers, what only looks at the cluster's state is answered from what a
 * broker says (brokers_say.h), and a line on stderr says so.  --saved FILE: see saved.h. */
#pragma once
#include "cluster/rpc.pb-c.h"
#include "controller/cli/cli.h"
#include "controller/cli/sock.h"

struct link;

/* CLI_OK and the response (in cli->mem, its status code 0), or an exit code after the sentence
 * on stderr: `what` says what was being done, "create topic orders". */
must_check int link_call(struct cli *, const Weir__Request *, const char *what, Weir__Response **);

/* The same at a given controller, silently; for those who wait until one answers. */
must_check enum err link_ask(struct cli *, struct addr controller, const Weir__Request *,
			     int64_t deadline_ms, Weir__Response **);
/* When no controller decides: what the last one that our broker reached said of it.  NULL: none was
 * reached, or one decides. */
const char *link_refusal(const struct cli *);
void link_close(struct link *);                  /* NULL is fine */
