/* The APIs this broker serves.  ApiVersions announces exactly these rows; a handler that is not
 * here does not exist. */
#include "broker/api/fetch.h"
#include "broker/api/list_offsets.h"
#include "broker/api/metadata.h"
#include "broker/api/produce.h"
#include "broker/api/versions.h"
#include "kafka/apis.h"

static const struct api rows[] = {
	{ API_PRODUCE, 3, 13, API_OVERLAPS, handle_produce },
	{ API_FETCH, 4, 18, API_PLAIN, handle_fetch },
	{ API_LIST_OFFSETS, 0, 11, API_PLAIN, handle_list_offsets },
	{ API_METADATA, 0, 13, API_PLAIN, handle_metadata },
	{ API_API_VERSIONS, 0, 4, API_PLAIN, handle_api_versions },
	{ API_OFFSET_FOR_LEADER_EPOCH, 0, 4, API_PLAIN, handle_offset_for_leader_epoch },
};

const struct api *api_row(int key)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].key == key)
			return &rows[i];
	return NULL;
}

const struct api *api_rows(int *n)
{
	*n = (int)ARRAY_LEN(rows);
	return rows;
}
