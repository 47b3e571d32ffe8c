/* topic_names.c - Kafka's rules for topic names; the controller checks them again when it creates
 * one. */
#include "broker/api/topic_names.h"

#define TOPIC_NAME_MAX 249

bool topic_name_ok(struct str s)
{
	if (s.n == 0 || s.n > TOPIC_NAME_MAX || str_eq(s, STR(".")) || str_eq(s, STR("..")))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}

bool topic_name_internal(struct str s)
{
	return str_eq(s, STR("__consumer_offsets")) || str_eq(s, STR("__transaction_state")) ||
	       str_eq(s, STR("__share_group_state"));
}
