/* kerr_rows.h - Kafka's error codes: name, code, may a client retry, what it means.
 * Names, codes and retriable as in Kafka 4.3; the words are ours. */
#pragma once

#define KERR_ROWS(X)                                                                               \
	X(UNKNOWN_SERVER_ERROR, -1, false, "the broker met an error that it has no name for")      \
	X(NONE, 0, false, "no error")                                                              \
	X(OFFSET_OUT_OF_RANGE, 1, false, "the offset lies outside what the partition holds")       \
	X(CORRUPT_MESSAGE, 2, true,                                                                \
	  "the batch is damaged: wrong checksum, size or form, or no key for a compacted topic")   \
	X(UNKNOWN_TOPIC_OR_PARTITION, 3, true, "this broker does not host the topic or partition") \
	X(INVALID_FETCH_SIZE, 4, false, "the fetch size makes no sense")                           \
	X(LEADER_NOT_AVAILABLE, 5, true, "the partition has no leader at the moment")              \
	X(NOT_LEADER_OR_FOLLOWER, 6, true,                                                         \
	  "this broker is not the leader, or not a replica, of the partition")                     \
	X(REQUEST_TIMED_OUT, 7, true, "the request was not done within its timeout")               \
	X(BROKER_NOT_AVAILABLE, 8, false, "the broker is not available")                           \
	X(REPLICA_NOT_AVAILABLE, 9, true, "the replica is not available")                          \
	X(MESSAGE_TOO_LARGE, 10, false, "the batch is larger than max.message.bytes allows")       \
	X(STALE_CONTROLLER_EPOCH, 11, false, "the controller epoch is an old one")                 \
	X(OFFSET_METADATA_TOO_LARGE, 12, false,                                                    \
	  "the metadata of the committed offset is larger than offset.metadata.max.bytes")         \
	X(NETWORK_EXCEPTION, 13, true, "the connection closed before the reply came")              \
	X(COORDINATOR_LOAD_IN_PROGRESS, 14, true, "the coordinator is still loading its state")    \
	X(COORDINATOR_NOT_AVAILABLE, 15, true, "no coordinator is available")                      \
	X(NOT_COORDINATOR, 16, true, "this broker is not the coordinator")                         \
	X(INVALID_TOPIC_EXCEPTION, 17, false, "the topic name is not allowed")                     \
	X(RECORD_LIST_TOO_LARGE, 18, false, "the batch is larger than a log segment")              \
	X(NOT_ENOUGH_REPLICAS, 19, true,                                                           \
	  "fewer replicas are in sync than min.insync.replicas asks for; nothing was written")     \
	X(NOT_ENOUGH_REPLICAS_AFTER_APPEND, 20, true,                                              \
	  "the records were written, but fewer replicas are in sync than min.insync.replicas "     \
	  "asks for")                                                                              \
	X(INVALID_REQUIRED_ACKS, 21, false, "acks must be -1, 0 or 1")                             \
	X(ILLEGAL_GENERATION, 22, false, "the generation is not the group's current one")          \
	X(INCONSISTENT_GROUP_PROTOCOL, 23, false,                                                  \
	  "the member shares no protocol with the group, or sent none")                            \
	X(INVALID_GROUP_ID, 24, false, "the group id is not allowed")                              \
	X(UNKNOWN_MEMBER_ID, 25, false, "the coordinator does not know this member")               \
	X(INVALID_SESSION_TIMEOUT, 26, false,                                                      \
	  "the session timeout is not within group.min and group.max.session.timeout.ms")          \
	X(REBALANCE_IN_PROGRESS, 27, false, "the group is rebalancing: join again")                \
	X(INVALID_COMMIT_OFFSET_SIZE, 28, false, "the offset commit is too large")                 \
	X(TOPIC_AUTHORIZATION_FAILED, 29, false, "not authorized for the topic")                   \
	X(GROUP_AUTHORIZATION_FAILED, 30, false, "not authorized for the group")                   \
	X(CLUSTER_AUTHORIZATION_FAILED, 31, false, "not authorized for the cluster")               \
	X(INVALID_TIMESTAMP, 32, false,                                                            \
	  "the record's timestamp is outside the allowed range, or of the wrong type")             \
	X(UNSUPPORTED_SASL_MECHANISM, 33, false, "the SASL mechanism is not enabled here")         \
	X(ILLEGAL_SASL_STATE, 34, false,                                                           \
	  "the request is not legal at this point of the SASL exchange")                           \
	X(UNSUPPORTED_VERSION, 35, false, "this version of the request is not supported")          \
	X(TOPIC_ALREADY_EXISTS, 36, false, "a topic of this name exists already")                  \
	X(INVALID_PARTITIONS, 37, false, "the number of partitions is not possible")               \
	X(INVALID_REPLICATION_FACTOR, 38, false,                                                   \
	  "the replication factor is below 1 or above the number of usable brokers")               \
	X(INVALID_REPLICA_ASSIGNMENT, 39, false, "the replica assignment is not valid")            \
	X(INVALID_CONFIG, 40, false, "the configuration is not valid")                             \
	X(NOT_CONTROLLER, 41, true, "this node is not the active controller")                      \
	X(INVALID_REQUEST, 42, false, "the request contradicts itself or the protocol")            \
	X(UNSUPPORTED_FOR_MESSAGE_FORMAT, 43, false,                                               \
	  "the message format does not allow this request")                                        \
	X(POLICY_VIOLATION, 44, false, "a policy of the cluster forbids it")                       \
	X(OUT_OF_ORDER_SEQUENCE_NUMBER, 45, false,                                                 \
	  "the batch's sequence number does not follow the producer's last one")                   \
	X(DUPLICATE_SEQUENCE_NUMBER, 46, false, "the batch's sequence number was seen before")     \
	X(INVALID_PRODUCER_EPOCH, 47, false, "the producer's epoch is an old one")                 \
	X(INVALID_TXN_STATE, 48, false, "the transaction is not in a state that allows this")      \
	X(INVALID_PRODUCER_ID_MAPPING, 49, false,                                                  \
	  "the producer id does not belong to the transactional id")                               \
	X(INVALID_TRANSACTION_TIMEOUT, 50, false,                                                  \
	  "the transaction timeout is above transaction.max.timeout.ms")                           \
	X(CONCURRENT_TRANSACTIONS, 51, true,                                                       \
	  "another operation of the same transaction is under way")                                \
	X(TRANSACTION_COORDINATOR_FENCED, 52, false,                                               \
	  "a newer transaction coordinator has taken over")                                        \
	X(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 53, false,                                        \
	  "not authorized for the transactional id")                                               \
	X(SECURITY_DISABLED, 54, false, "no authorizer is configured")                             \
	X(OPERATION_NOT_ATTEMPTED, 55, false,                                                      \
	  "not tried, because another part of the request failed")                                 \
	X(KAFKA_STORAGE_ERROR, 56, true, "the log directory failed")                               \
	X(LOG_DIR_NOT_FOUND, 57, false, "the broker has no such log directory")                    \
	X(SASL_AUTHENTICATION_FAILED, 58, false, "authentication failed")                          \
	X(UNKNOWN_PRODUCER_ID, 59, false, "the partition knows nothing of this producer id")       \
	X(REASSIGNMENT_IN_PROGRESS, 60, false, "a reassignment of the partition is under way")     \
	X(DELEGATION_TOKEN_AUTH_DISABLED, 61, false, "delegation tokens are not enabled")          \
	X(DELEGATION_TOKEN_NOT_FOUND, 62, false, "no such delegation token")                       \
	X(DELEGATION_TOKEN_OWNER_MISMATCH, 63, false,                                              \
	  "the principal neither owns nor may renew the delegation token")                         \
	X(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 64, false,                                         \
	  "delegation tokens cannot be handled over this kind of connection")                      \
	X(DELEGATION_TOKEN_AUTHORIZATION_FAILED, 65, false,                                        \
	  "not authorized for the delegation token")                                               \
	X(DELEGATION_TOKEN_EXPIRED, 66, false, "the delegation token has expired")                 \
	X(INVALID_PRINCIPAL_TYPE, 67, false, "the principal type is not supported")                \
	X(NON_EMPTY_GROUP, 68, false, "the group still has members")                               \
	X(GROUP_ID_NOT_FOUND, 69, false, "no such group")                                          \
	X(FETCH_SESSION_ID_NOT_FOUND, 70, true, "the broker does not have this fetch session")     \
	X(INVALID_FETCH_SESSION_EPOCH, 71, true,                                                   \
	  "the fetch session's epoch is not the expected one")                                     \
	X(LISTENER_NOT_FOUND, 72, true,                                                            \
	  "the leader has no listener of the name this request came in on")                        \
	X(TOPIC_DELETION_DISABLED, 73, false, "topic deletion is disabled")                        \
	X(FENCED_LEADER_EPOCH, 74, true, "the request's leader epoch is older than this broker's") \
	X(UNKNOWN_LEADER_EPOCH, 75, true,                                                          \
	  "the request's leader epoch is newer than this broker's")                                \
	X(UNSUPPORTED_COMPRESSION_TYPE, 76, false,                                                 \
	  "the client cannot read the partition's compression type")                               \
	X(STALE_BROKER_EPOCH, 77, false, "the broker epoch is an old one")                         \
	X(OFFSET_NOT_AVAILABLE, 78, true, "the new leader does not know its high watermark yet")   \
	X(MEMBER_ID_REQUIRED, 79, false, "join again with the member id of this reply")            \
	X(PREFERRED_LEADER_NOT_AVAILABLE, 80, true, "the preferred leader is not available")       \
	X(GROUP_MAX_SIZE_REACHED, 81, false, "the group has as many members as it may have")       \
	X(FENCED_INSTANCE_ID, 82, false, "another member took over this group.instance.id")        \
	X(ELIGIBLE_LEADERS_NOT_AVAILABLE, 83, true, "no replica may become leader")                \
	X(ELECTION_NOT_NEEDED, 84, true, "the partition has that leader already")                  \
	X(NO_REASSIGNMENT_IN_PROGRESS, 85, false, "no reassignment of the partition is under way") \
	X(GROUP_SUBSCRIBED_TO_TOPIC, 86, false, "the group is subscribed to the topic")            \
	X(INVALID_RECORD, 87, false, "a record was refused")                                       \
	X(UNSTABLE_OFFSET_COMMIT, 88, true,                                                        \
	  "offsets of a transaction that is still open stand in the way")                          \
	X(THROTTLING_QUOTA_EXCEEDED, 89, true, "the quota is used up")                             \
	X(PRODUCER_FENCED, 90, false,                                                              \
	  "a newer producer with this transactional id has taken over")                            \
	X(RESOURCE_NOT_FOUND, 91, false, "no such resource")                                       \
	X(DUPLICATE_RESOURCE, 92, false, "the request names a resource twice")                     \
	X(UNACCEPTABLE_CREDENTIAL, 93, false, "the credential is not acceptable")                  \
	X(INCONSISTENT_VOTER_SET, 94, false, "sender or receiver is not one of the voters")        \
	X(INVALID_UPDATE_VERSION, 95, false, "the feature version is not possible")                \
	X(FEATURE_UPDATE_FAILED, 96, false, "the features could not be updated")                   \
	X(PRINCIPAL_DESERIALIZATION_FAILURE, 97, false, "the forwarded principal cannot be read")  \
	X(SNAPSHOT_NOT_FOUND, 98, false, "no such snapshot")                                       \
	X(POSITION_OUT_OF_RANGE, 99, false, "the position lies outside the snapshot")              \
	X(UNKNOWN_TOPIC_ID, 100, true, "this broker does not know the topic id")                   \
	X(DUPLICATE_BROKER_REGISTRATION, 101, false, "the broker id is in use by another broker")  \
	X(BROKER_ID_NOT_REGISTERED, 102, false, "no broker with this id is registered")            \
	X(INCONSISTENT_TOPIC_ID, 103, true, "the topic id does not match the log's")               \
	X(INCONSISTENT_CLUSTER_ID, 104, false, "the cluster id does not match this cluster's")     \
	X(TRANSACTIONAL_ID_NOT_FOUND, 105, false, "no such transactional id")                      \
	X(FETCH_SESSION_TOPIC_ID_ERROR, 106, true,                                                 \
	  "the fetch session mixes topic names and topic ids")                                     \
	X(INELIGIBLE_REPLICA, 107, false, "the proposed ISR has a replica that may not be in it")  \
	X(NEW_LEADER_ELECTED, 108, false,                                                          \
	  "the change was made, and the partition has a new leader")                               \
	X(OFFSET_MOVED_TO_TIERED_STORAGE, 109, false, "the offset is kept in tiered storage only") \
	X(FENCED_MEMBER_EPOCH, 110, false,                                                         \
	  "the member's epoch was fenced: give up all partitions and join again")                  \
	X(UNRELEASED_INSTANCE_ID, 111, false, "another member still holds this instance id")       \
	X(UNSUPPORTED_ASSIGNOR, 112, false, "the group's assignor is not supported")               \
	X(STALE_MEMBER_EPOCH, 113, false,                                                          \
	  "the member epoch is an old one: retry after the next heartbeat")                        \
	X(MISMATCHED_ENDPOINT_TYPE, 114, false,                                                    \
	  "this kind of endpoint does not answer such a request")                                  \
	X(UNSUPPORTED_ENDPOINT_TYPE, 115, false, "the endpoint type is not supported")             \
	X(UNKNOWN_CONTROLLER_ID, 116, false, "no controller has this id")                          \
	X(UNKNOWN_SUBSCRIPTION_ID, 117, false,                                                     \
	  "the telemetry subscription id is not valid any more")                                   \
	X(TELEMETRY_TOO_LARGE, 118, false, "the telemetry payload is too large")                   \
	X(INVALID_REGISTRATION, 119, false, "the controller refused the registration")             \
	X(TRANSACTION_ABORTABLE, 120, false, "the transaction failed and can only be aborted")     \
	X(INVALID_RECORD_STATE, 121, false,                                                        \
	  "the record is not in a state that allows this acknowledgement")                         \
	X(SHARE_SESSION_NOT_FOUND, 122, true, "no such share session")                             \
	X(INVALID_SHARE_SESSION_EPOCH, 123, true,                                                  \
	  "the share session's epoch is not the expected one")                                     \
	X(FENCED_STATE_EPOCH, 124, false, "the share group's state epoch is an old one")           \
	X(INVALID_VOTER_KEY, 125, false, "the voter's id and directory do not match this node's")  \
	X(DUPLICATE_VOTER, 126, false, "the voter is in the set already")                          \
	X(VOTER_NOT_FOUND, 127, false, "the voter is not in the set")                              \
	X(INVALID_REGULAR_EXPRESSION, 128, false, "the regular expression is not valid")           \
	X(REBOOTSTRAP_REQUIRED, 129, false, "the client's metadata is too old: bootstrap again")   \
	X(STREAMS_INVALID_TOPOLOGY, 130, false, "the streams topology is not valid")               \
	X(STREAMS_INVALID_TOPOLOGY_EPOCH, 131, false, "the streams topology epoch is not valid")   \
	X(STREAMS_TOPOLOGY_FENCED, 132, false, "the streams topology epoch is an old one")         \
	X(SHARE_SESSION_LIMIT_REACHED, 133, true,                                                  \
	  "the broker has as many share sessions as it may have")
