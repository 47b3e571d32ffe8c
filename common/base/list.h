/* list.h - intrusive doubly linked list with a sentinel; a node is on at most one list. */
#pragma once
#include "common/base/base.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_insert_before(struct list *pos, struct list *n)
{
	n->next = pos;
	n->prev = pos->prev;
	pos->prev->next = n;
	pos->prev = n;
}
static inline void list_push_back(struct list *l, struct list *n) { list_insert_before(l, n); }
static inline void list_push_front(struct list *l, struct list *n)
{
	list_insert_before(l->next, n);
}
/* Leaves n self-linked: removing twice is harmless. */
static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
#define LIST_FOR(var, l, type, member)                                                             \
	for (type *var = CONTAINER_OF((l)->next, type, member), *var##_next;                       \
	     var##_next = CONTAINER_OF(var->member.next, type, member), &var->member != (l);       \
	     var = var##_next)
#define LIST_FIRST(l, type, member) (list_empty(l) ? NULL : CONTAINER_OF((l)->next, type, member))
