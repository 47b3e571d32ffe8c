/* net_send.c - output: kept until the end of the turn, then onto the way as far as it is free. */
#include "tests/sim/disk.h"
#include "tests/sim/net.h"

static void flush(struct conn *);
static void do_nothing(void *unused, void *);
static void on_move(void *conn, void *unused);

void sim_send(struct conn *c, const struct span *v, int n)
{
	int64_t bytes = 0, at = 0;
	struct packet *p;

	ASSERT(c->state != CONN_MOVING && c->state != CONN_FINISHING);
	for (int i = 0; i < n; i++)
		bytes += v[i].n;
	p = mem_alloc(sizeof(*p) + (size_t)bytes);
	p->n = (uint32_t)bytes;
	for (int i = 0; i < n; i++) {
		bool is_whole = true;

		if (v[i].buf)
			memcpy(p->at + at, v[i].buf->at + v[i].at, (size_t)v[i].n);
		else
			is_whole = disk_copy_out(v[i].file, v[i].at, (size_t)v[i].n, p->at + at);
		if (!is_whole)
			p->kind = PACKET_RESET;
		at += v[i].n;
		buf_put(v[i].buf);
		file_put(v[i].file);
	}
	if (c->state == CONN_CLOSED) {
		mem_free(p);
		return;
	}
	list_push_back(&c->out, &p->node);
	c->out_bytes += bytes;
	if (c->state == CONN_OPEN)
		conn_flush_soon(c);
}

static void do_nothing(void *x, void *unused)
{
	(void)x;
	(void)unused;
}

void conn_flush_soon(struct conn *c)
{
	if (c->state != CONN_OPEN && c->state != CONN_FINISHING)
		return;
	if (!list_empty(&c->in_turn) || list_empty(&c->out))
		return;
	list_push_back(&c->actor->dirty, &c->in_turn);
	if (c->machine->world->running != c->actor)
		actor_do(c->actor, do_nothing, NULL, NULL);
}

static void flush(struct conn *c)
{
	while (!list_empty(&c->out) && c->on_way < WINDOW) {
		struct packet *p = LIST_FIRST(&c->out, struct packet, node);

		list_remove(&p->node);
		c->out_bytes -= p->n;
		if (p->kind == PACKET_RESET) { /* the file was cut short underneath */
			mem_free(p);
			actor_do(c->actor, conn_fail, c, (void *)(uintptr_t)ERR_IO);
			conn_tell(c, PACKET_RESET);
			return;
		}
		c->on_way += p->n;
		conn_send_packet(c, p);
	}
	if (!list_empty(&c->out))
		return;
	if (c->state == CONN_FINISHING) {
		conn_detach(c);
		conn_tell(c, PACKET_END);
	} else if (c->state == CONN_OPEN && c->on->drained) {
		c->on->drained(c->arg, c);
	}
}

static void on_move(void *x, void *unused)
{
	struct conn *c = x;

	(void)unused;
	if (c->state != CONN_MOVING)
		return;
	c->state = CONN_OPEN;
	c->is_read_due = false;
	c->moved(c->arg, c);
	conn_read_soon(c);
	conn_flush_soon(c);
}

void net_flush(struct actor *a)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&a->dirty)) {
		struct list *n = a->dirty.next;

		list_remove(n);
		list_push_back(&now, n);
	}
	while (!list_empty(&now)) {
		struct conn *c = CONTAINER_OF(now.next, struct conn, in_turn);

		list_remove(&c->in_turn);
		if (c->state == CONN_MOVING) {
			c->actor = c->move_to;
			actor_do(c->actor, on_move, c, NULL);
		} else if (c->state == CONN_OPEN || c->state == CONN_FINISHING) {
			flush(c);
		}
	}
}
