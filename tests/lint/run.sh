#!/bin/sh
# Everything the project demands of its text and its objects.  Called by `make lint` with B, CC and
# CPPFLAGS set, the objects built.  Ends with `N passed, N failed`, counting checks.
lint=$(dirname "$0")
passed=0 failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
c_files=$(find common broker controller proto tests -name '*.c' 2>/dev/null | sort)
h_files=$(find common broker controller proto tests -name '*.h' 2>/dev/null | sort)

# verdict NAME: the check passes when $tmp/out, without the listed exceptions, is empty.
verdict() {
	awk 'NR == FNR { if ($0 !~ /^#/ && NF > 3) ok[$1 " " $2 " " $3] = 1; next }
	     !(($1 " " $2 " " $3) in ok)' "$lint/exceptions.txt" "$tmp/out" >"$tmp/left"
	if [ -s "$tmp/left" ]; then
		cat "$tmp/left"
		echo "FAIL lint/$1"
		failed=$((failed + 1))
	else
		echo "PASS lint/$1"
		passed=$((passed + 1))
	fi
}
skip() { echo "SKIP lint/$1: $2"; }

awk -f "$lint/layers.awk" "$lint/layers.txt" $c_files $h_files >"$tmp/out" 2>&1
verdict layers
awk -f "$lint/tidy.awk" $c_files $h_files >"$tmp/out" 2>&1
verdict tidy
sh "$lint/purity.sh" "$B/obj" "$PWD/$lint" >"$tmp/out" 2>&1
verdict purity
# While a program is missing nobody can tell what it will use.
if [ -f broker/main.c ] && [ -f controller/main.c ] && [ -f controller/cli/main.c ]; then
	sh "$lint/singleuse.sh" "$B/obj" >"$tmp/out" 2>&1
	verdict singleuse
else
	skip singleuse "not every program is here"
fi

# A header compiles as the first and only include; *_rows.h are tables that others expand.
for h in $h_files; do echo "$h"; done | grep -v '_rows\.h$' | xargs -P 2 -I{} sh -c \
	'echo "#include \"{}\"" | $CC -std=gnu11 $CPPFLAGS -Wall -Wextra -Wpedantic -Werror -x c -fsyntax-only -' \
	>"$tmp/out" 2>&1
verdict headers

if command -v clang-format >/dev/null; then
	for f in $c_files; do echo "$f"; done | xargs -P 2 -n 8 clang-format --dry-run -Werror \
		>"$tmp/out" 2>&1
	grep -o '^[^:]*:[0-9]*' "$tmp/out" | sort -u >"$tmp/where"
	sed 's/$/: clang-format would change this (make format)/' "$tmp/where" >"$tmp/out"
	verdict format
else
	skip format "clang-format is not installed"
fi

if command -v cppcheck >/dev/null; then
	mkdir -p build/cppcheck
	cppcheck --quiet -j 2 --cppcheck-build-dir=build/cppcheck --std=c11 --inline-suppr \
		--enable=warning,portability --suppressions-list="$lint/cppcheck.txt" \
		--template='{file}:{line}: {id}: {message}' -I. -Ibuild/gen -D_GNU_SOURCE \
		$(echo "$c_files" | grep -v '^tests/') >"$tmp/out" 2>&1
	verdict cppcheck
else
	skip cppcheck "cppcheck is not installed"
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
