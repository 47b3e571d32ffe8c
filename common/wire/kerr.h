/* kerr.h - the Kafka protocol's error codes: data in a reply, never control flow.
 *
 * enum kerr has KERR_ in front of Kafka's name and Kafka's code as its value.  kerr_text is the
 * reply's error_message where the answer knows no better; a refusal should say more: cause,
 * numbers and the way out. */
#pragma once
#include "common/base/base.h"
#include "common/wire/kerr_rows.h"

#define KERR_ENUM(name, code, retriable, text) KERR_##name = code,
enum kerr { KERR_ROWS(KERR_ENUM) };
#undef KERR_ENUM

const char *kerr_name(int code); /* "NOT_LEADER_OR_FOLLOWER"; "UNKNOWN_CODE" */
const char *kerr_text(int code);
bool kerr_retriable(int code);                 /* the same request may succeed later */
bool kerr_parse(struct str name, enum kerr *); /* false: no such name */
