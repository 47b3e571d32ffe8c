#include "broker/api/api.h"
#include "kafka/apis.h"
#include "tests/lib/test.h"

TEST(rows_stand_by_key_and_name_versions_that_the_wire_knows)
{
	int n;
	const struct api *rows = api_rows(&n);

	EXPECT(n > 0);
	for (int i = 0; i < n; i++) {
		EXPECT(i == 0 || rows[i - 1].key < rows[i].key);
		EXPECT(rows[i].handle != NULL);
		EXPECT(rows[i].min <= rows[i].max);
		EXPECT(api_decodable(rows[i].key, rows[i].min));
		EXPECT(api_decodable(rows[i].key, rows[i].max));
		EXPECT(api_row(rows[i].key) == &rows[i]);
	}
	EXPECT(api_row(9999) == NULL);
}

TEST(what_is_announced_is_served)
{
	int n;
	const struct api *rows = api_rows(&n);

	for (int i = 0; i < n; i++) {
		const struct kafka_api *wire = api_find(rows[i].key);
		if (rows[i].flags == API_HIDDEN)
			continue;
		EXPECT(wire->advertised_max <= rows[i].max || wire->advertised_max == rows[i].max);
		/* Produce 0 to 2 alone are announced and not served (KAFKA-18659). */
		if (rows[i].key != API_PRODUCE)
			EXPECT(rows[i].min <= wire->min);
	}
}
