#include "common/wire/kerr.h"
#include "tests/lib/test.h"

TEST(codes_and_names)
{
	enum kerr e = KERR_NONE;

	EXPECT_EQ(KERR_UNKNOWN_SERVER_ERROR, -1);
	EXPECT_EQ(KERR_NOT_LEADER_OR_FOLLOWER, 6);
	EXPECT_EQ(KERR_SHARE_SESSION_LIMIT_REACHED, 133);
	EXPECT_Z(kerr_name(-1), "UNKNOWN_SERVER_ERROR");
	EXPECT_Z(kerr_name(KERR_NOT_ENOUGH_REPLICAS), "NOT_ENOUGH_REPLICAS");
	EXPECT(kerr_retriable(KERR_NOT_ENOUGH_REPLICAS) && !kerr_retriable(KERR_INVALID_REQUEST));
	EXPECT(kerr_parse(STR("FENCED_LEADER_EPOCH"), &e) && e == KERR_FENCED_LEADER_EPOCH);
	EXPECT(!kerr_parse(STR("NO_SUCH_NAME"), &e));
	for (int code = -1; code <= 133; code++)
		EXPECT(strcmp(kerr_name(code), "UNKNOWN_CODE") != 0 && kerr_text(code)[0]);
}

TEST(codes_of_the_future_have_a_name_too)
{
	EXPECT_Z(kerr_name(134), "UNKNOWN_CODE");
	EXPECT_Z(kerr_name(-2), "UNKNOWN_CODE");
	EXPECT_Z(kerr_name(INT32_MAX), "UNKNOWN_CODE");
	EXPECT(!kerr_retriable(INT32_MIN));
}
