/* mailbox.h - how other threads hand mail to an actor: many producers, one consumer, no lock.
 *
 * An intrusive stack with one atomic word as its head.  The consumer says when it is about to
 * sleep; only the push that finds it asleep writes the eventfd, so a busy actor is never woken.
 * Mail pushed by one thread is taken in the order it was pushed. */
#pragma once
#include "common/env/env.h"

struct mailbox {
	_Atomic(struct mail *) head; /* newest first; NULL: empty; the mailbox's own mark: asleep */
	struct mail asleep;
	int wake_fd; /* readable, edge by edge, after a push found it asleep */
};

must_check enum err mailbox_init(struct mailbox *);
void mailbox_fini(struct mailbox *);
void mailbox_push(struct mailbox *, struct mail *); /* any thread */
struct mail *mailbox_take(struct mailbox *);        /* everything, oldest first; consumer only */
bool mailbox_sleep(struct mailbox *);               /* false: there is mail, do not sleep */
