/* delete_records.h - DeleteRecords(21); see delete_records.c. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_delete_records(struct req *);
