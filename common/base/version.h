/* version.h - the version of all programs of this tree; they are released together. */
#pragma once
#include "common/base/base.h"
#define WEIR_VERSION "0.1.0"
