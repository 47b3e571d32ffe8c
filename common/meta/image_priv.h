/* image_priv.h - shared by the files of image_*.c only: growing arrays, copies, ownership.
 *
 * Arrays have no stored capacity: an array of n elements has room for the next power of two, so
 * array_room reallocates only when n is zero or a power of two. */
#pragma once
#include "common/meta/image.h"

void *array_room(void *old, int32_t n, size_t each);     /* room for element n */
void array_open(void *at, int32_t n, int32_t i, size_t each); /* make a hole at i of n elements */
void array_close(void *at, int32_t n, int32_t i, size_t each);   /* close the hole at i; n before */

struct str text_dup(struct str);                         /* null stays null */
void text_free(struct str);

struct image_broker *broker_new(int32_t id);
void broker_put(struct image_broker *);
void topic_put(struct image_topic *);

/* Where it is, or where it would be inserted; true: it is there. */
bool broker_find(const struct image *, int32_t id, int32_t *at);
bool topic_find(const struct image *, struct str name, int32_t *at);
bool topic_find_id(const struct image *, struct uuid id, int32_t *at);
bool config_find(const struct image_config *, int32_t n, struct str name, int32_t *at);
bool feature_find(const struct image_feature *, int32_t n, struct str name, int32_t *at);

/* A version of the row that only this image holds, so that it may be changed. */
struct image_broker *broker_own(struct image *, int32_t at);
struct image_topic *topic_own(struct image *, int32_t at);

bool ids_same(const struct image_ids *, const struct image_ids *);
