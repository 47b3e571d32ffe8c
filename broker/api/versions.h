/* versions.h - ApiVersions(18): what this broker serves, generated from the rows of api.h. */
#pragma once
#include "broker/api/api.h"

enum api_ret handle_api_versions(struct req *);
/* A version we do not speak: answered in version 0 with UNSUPPORTED_VERSION and our range
 * (KIP-511). */
enum err versions_unsupported(struct req *);
