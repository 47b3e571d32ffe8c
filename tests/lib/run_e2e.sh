#!/bin/sh
# run_e2e.sh [T] : runs tests/e2e/*.{py,sh}, tests/interop/*.py and the C programs of tests/e2e whose
# path contains T, with BUILD as the folder of the programs; N picks tests inside a script.  Scripts
# print `PASS name` and `FAIL name why`; the last line sums them.
passed=0 failed=0 seen=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for t in tests/e2e/*.py tests/e2e/*.sh tests/interop/*.py "$BUILD"/tests/e2e/*_test; do
	case $t in *'*'*) continue ;; esac
	case $t in *"$1"*) ;; *) continue ;; esac
	{ timeout -k 10 "${TEST_TIMEOUT:-900}" "$t" ${N:+"$N"} 2>&1; echo "exit $?"; } | tee "$out" | grep -v '^exit '
	rc=$(sed -n 's/^exit \([0-9]*\)$/\1/p' "$out" | tail -n 1)
	p=$(grep -c '^PASS ' "$out")
	f=$(grep -c '^FAIL ' "$out")
	sum=$(grep -o '^[0-9]* passed, [0-9]* failed$' "$out" | tail -n 1)
	if [ "$p$f" = 00 ] && [ -n "$sum" ]; then
		p=${sum%% *} f=${sum#*, } f=${f%% *}
	fi
	if [ "$rc" != 0 ] && [ "$f" = 0 ]; then
		f=1
		echo "FAIL $t exit $rc"
	fi
	passed=$((passed + p)) failed=$((failed + f))
	seen=$((seen + p + f + $(grep -c '^SKIP ' "$out")))
done
if [ $seen -eq 0 ]; then
	failed=1
	echo "FAIL e2e: no test has such a name"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
