/* version.h - the version of all programs of this tree; they are released together. */
#pragma once
#define WEIR_VERSION "0.1.0"
