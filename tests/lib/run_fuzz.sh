#!/bin/sh
# run_fuzz.sh DIR NAME SECONDS: runs the libFuzzer targets of DIR whose name contains NAME.
# A finding stays in build/fuzz/findings.
dir=$1 name=$2 seconds=$3
passed=0 failed=0
mkdir -p build/fuzz/findings
for t in "$dir"/*; do
	[ -x "$t" ] && [ ! -d "$t" ] || continue
	case $t in *"$name"*) ;; *) continue ;; esac
	base=${t##*/}
	mkdir -p "build/fuzz/corpus/$base"
	if "$t" -max_total_time="$seconds" -print_final_stats=0 -verbosity=0 -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="build/fuzz/findings/$base-" "build/fuzz/corpus/$base"; then
		echo "PASS fuzz/$base"
		passed=$((passed + 1))
	else
		echo "FAIL fuzz/$base see build/fuzz/findings"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
