/* tale.h - golden stories: files DIR/NAME.txt with a script, a line of dashes, and the narrative
 * that the script must give.  STORY_UPDATE=1 writes the narratives anew. */
#pragma once
#include "common/base/text.h"

/* Plays every story of the folder; one that tells something else fails the running test, and so
 * does a folder without any.  path: for the performer's own complaints. */
void tales_run(const char *dir,
	       void (*perform)(const char *path, struct str script, struct text *tale));
