/* delete_topics.h - DeleteTopics(20); see delete_topics.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_delete_topics(struct req *);
