/* tree.h - an image as a tree of paths, each with named values: what can be listed and compared.
 *
 *   /controller  /brokers/1  /topics/orders  /topics/orders/0  /configs/brokers  /features */
#pragma once
#include "common/meta/image.h"
#include "controller/cli/cli.h"

struct tree_leaf {
	const char *path, *key;
	const char *text, *json; /* the value in two forms */
};
struct tree {
	struct cli *cli;
	struct tree_leaf *v; /* in cli->mem, in an order that two trees share */
	int n, cap;
};

void tree_of(struct tree *, struct cli *, const struct image *);
/* Does the path lie at or below the other? */
must_check bool tree_is_below(const char *path, const char *top);
/* < 0, 0, > 0: the order of leaves; numbers in names count as numbers. */
int tree_order(const struct tree_leaf *, const struct tree_leaf *);
