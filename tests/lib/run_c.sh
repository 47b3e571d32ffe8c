#!/bin/sh
# Runs C test programs one after the other: run_c.sh KIND PROGRAM...
# Each prints its own failures and `N passed, N failed`; the last line sums them.  With ALONE set
# nothing to run is a failure: a name was mistyped.
kind=$1
shift
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for t in "$@"; do
	timeout "${TEST_TIMEOUT:-900}" "$t" ${N:+"$N"} >"$out" 2>&1
	rc=$?
	line=$(sed -n 's/^\([0-9]* passed, [0-9]* failed\)$/\1/p' "$out" | tail -1)
	p=${line%% *} f=${line#*, } f=${f%% *}
	if [ -z "$line" ] || { [ $rc -ne 0 ] && [ "${f:-0}" = 0 ]; }; then
		p=${p:-0} f=$((${f:-0} + 1))
		echo "FAIL $t: exit $rc before its summary"
	fi
	[ $rc -eq 0 ] && [ -z "$V" ] || cat "$out"
	printf '%-8s %-40s %4d passed, %d failed\n' "$kind" "${t##*/tests/}" "$p" "$f"
	passed=$((passed + p)) failed=$((failed + f))
done
if [ -n "$ALONE" ] && [ $((passed + failed)) -eq 0 ]; then
	failed=1
	echo "FAIL $kind: no test has such a name"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
