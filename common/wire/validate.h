/* validate.h - is a producer's batch fit to be appended, and what must change in it?
 *
 * Pure.  A validator owns codec contexts and buffers; one user at a time.  Rules are the topic's;
 * the checks and their order are Kafka's (ProduceRequest.validateRecords, log append analysis,
 * LogValidator).  One bad record refuses the whole batch (KIP-467 names it).
 *
 * A batch that passes is appended as `header` (batch_stamp it) followed by `body`: in the frame
 * itself when nothing or only header fields changed, else in the validator's memory, good until
 * its next call. */
#pragma once
#include "common/wire/batch.h"
#include "common/wire/kerr.h"

struct validate_rules {
	bool is_compacted;                   /* cleanup.policy has compact: keys are needed */
	bool log_append_time;                /* message.timestamp.type */
	bool zstd_allowed;                   /* Produce version 7 and up */
	bool crc_only;                       /* record.validation=crc: trust the records inside */
	int8_t codec;                        /* compression.type; -1: producer's */
	int32_t codec_level;                 /* or CODEC_LEVEL_DEFAULT */
	int32_t message_bytes_max;           /* max.message.bytes */
	int64_t before_max_ms, after_max_ms; /* message.timestamp.{before,after}.max.ms */
};

#define VALIDATE_ERRORS_MAX 16
#define VALIDATE_TEXT_MAX 240
struct validate_error {
	int32_t index;    /* of the record in its batch */
	const char *text; /* static */
};
struct validate_result {
	enum kerr kerr;                                    /* KERR_NONE: append it */
	char text[VALIDATE_TEXT_MAX];                      /* why not, in words */
	struct validate_error errors[VALIDATE_ERRORS_MAX]; /* the first bad records */
	int32_t n_errors;

	struct batch batch; /* what to append; at is the frame's */
	uint8_t header[BATCH_HEADER_BYTES];
	const uint8_t *body;
	bool is_header_new, is_rebuilt; /* differs from what came; both false: PASS */
};

struct validator;
/* inflated_max: what one batch may grow to when decompressed; more is MESSAGE_TOO_LARGE. */
struct validator *validator_new(size_t inflated_max);
void validator_free(struct validator *);
/* The record set of one partition: exactly one batch. */
void validate_batch(struct validator *, const struct validate_rules *, struct str records,
		    int64_t now_ms, struct validate_result *);
