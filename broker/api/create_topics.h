/* create_topics.h - CreateTopics(19); see create_topics.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_create_topics(struct req *);
