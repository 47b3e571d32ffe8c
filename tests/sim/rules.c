#include "tests/sim/rules.h"

#include <stdarg.h>
#include <stdio.h>

#include "tests/sim/cluster.h"

#define MESSAGE_BYTES 400

static const struct rule rules[] = {
	/* partition logs: check.c, check_log.c */
	{ 1, "a leader's high watermark never goes back within its leader epoch" },
	{ 2, "log start <= high watermark <= log end, on every replica" },
	{ 3, "what was committed stays, unless an unclean election was allowed" },
	{ 4, "the same epoch and offset have the same bytes and the same predecessor everywhere" },
	{ 5, "replicas are equal below their high watermarks" },
	{ 6, "the leader of the newest epoch has every committed record" },
	{ 7, "every member of the ISR or ELR that is alive has every committed record" },
	{ 8, "a committed record is on some replica" },
	{ 9, "a leader epoch has one leader" },
	{ 10, "the epoch cache says of every batch the epoch that is written in it" },
	{ 11, "nobody truncates what it knows to be committed" },
	{ 12, "offsets follow each other without holes, every batch is whole" },
	{ 13, "a follower that took records in an epoch is never ahead of that epoch's leader" },
	{ 14, "consumers are given what lies between log start and high watermark, in order" },
	{ 15, "what a consumer was once given at an offset never changes" },
	{ 16, "acks=all means: all in sync had it, and they were enough" },
	/* metadata: check_meta.c */
	{ 17, "the ISR is a part of the assignment" },
	{ 18, "the leader is in the ISR, or there is none" },
	{ 19, "ELR and ISR have nobody in common; the ELR is empty while the ISR is enough" },
	{ 20, "a fenced broker leads nothing and is in no ISR, unless it is the last" },
	{ 21, "every change moves the partition epoch, every new leader the leader epoch" },
	{ 22, "a new process gets a higher broker epoch, the same process keeps its own" },
	{ 23, "what a leader waits for includes the controller's ISR" },
	{ 24, "a leader without an open question has the controller's ISR" },
	{ 25, "the same offset of the metadata log gives the same image everywhere" },
	{ 26, "an unclean election happens only where the topic allows it" },
	{ 27, "topic ids are never used again; only a deleted topic's data may go" },
	{ 28, "no producer id is given twice" },
	/* the quorum: check_quorum.c */
	{ 29, "a term has one leader, in one life" },
	{ 30, "a controller's term never goes back, whatever becomes of its process" },
	{ 31, "a controller's vote never changes within a term, nor is it forgotten" },
	{ 32, "what a controller knows to be committed never shrinks, and others knew it" },
	{ 35, "a committed record is the same for ever, on every controller" },
	{ 39, "a controller's state follows from the committed records" },
	/* producers: check_log.c */
	{ 42, "a producer's epochs never go back in a log" },
	{ 43, "a producer's sequence has no gap and no duplicate" },
	/* storage: check_log.c, check_end.c */
	{ 52, "a process that ended lost nothing, a power loss nothing reported as durable" },
	{ 53, "the indexes find what a scan finds" },
	{ 55, "a cluster at rest opens no more files and takes no more memory" },
	{ 56, "in the end a replica lies in one log directory" },
	/* administration: admin.c */
	{ 57, "whoever creates a topic is not told that it was there before" },
};

const struct rule *rule_find(int number)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].number == number)
			return &rules[i];
	return NULL;
}

const struct rule *rule_at(int i)
{
	return i >= 0 && i < (int)ARRAY_LEN(rules) ? &rules[i] : NULL;
}

void rule_broken(int number, const char *fmt, ...)
{
	const struct rule *rule = rule_find(number);
	char message[MESSAGE_BYTES];
	va_list args;
	int n;

	ASSERT(rule);
	n = snprintf(message, sizeof(message), "rule %d, %s: ", number, rule->text);
	va_start(args, fmt);
	vsnprintf(message + n, sizeof(message) - (size_t)n, fmt, args);
	va_end(args);
	story_fail_as(EXIT_SAFETY, rule->text, message);
}
