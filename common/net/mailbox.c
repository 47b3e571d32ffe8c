/* mailbox.c - push: one compare-and-swap.  Take: one exchange and a reversal of the list.
 *
 * The head has three kinds of value: NULL (awake and empty), mail (newest first), and the address
 * of `asleep` (the consumer is about to block).  Only the push that replaces the mark writes the
 * eventfd, so under load nobody pays for a wake-up. */
#include "common/net/mailbox.h"
#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err mailbox_init(struct mailbox *b)
{
	atomic_init(&b->head, NULL);
	b->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return b->wake_fd < 0 ? err_of_errno(errno) : ERR_OK;
}

void mailbox_fini(struct mailbox *b)
{
	close(b->wake_fd);
}

/* release: the receiver must see what the sender wrote into the mail. */
void mailbox_push(struct mailbox *b, struct mail *m)
{
	struct mail *old = atomic_load_explicit(&b->head, memory_order_relaxed);
	do {
		m->next = old == &b->asleep ? NULL : old;
	} while (!atomic_compare_exchange_weak_explicit(&b->head, &old, m, memory_order_release,
							memory_order_relaxed));
	if (old != &b->asleep)
		return;
	/* The counter is never read back, the event is edge triggered: no way to fail but a bug. */
	ssize_t n = write(b->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	ASSERT(n == sizeof(uint64_t));
}

/* Takes everything and wakes the box (the head is NULL or mail afterwards). */
struct mail *mailbox_take(struct mailbox *b)
{
	struct mail *m = atomic_exchange_explicit(&b->head, NULL, memory_order_acquire);
	struct mail *oldest_first = NULL;
	if (m == &b->asleep)
		return NULL;
	while (m) {
		struct mail *next = m->next;
		m->next = oldest_first;
		oldest_first = m;
		m = next;
	}
	return oldest_first;
}

/* Fails when there is mail, which closes the race between looking and sleeping. */
bool mailbox_sleep(struct mailbox *b)
{
	struct mail *empty = NULL;
	return atomic_compare_exchange_strong_explicit(&b->head, &empty, &b->asleep,
						       memory_order_acquire, memory_order_relaxed);
}
