#!/bin/sh
# nondeterminism.sh [NAME]: puts sources of chance that no seed controls into a copy of the tree, one
# at a time, and shows who catches each: lint, two runs of a seed, or valgrind.  Two runs of a seed
# are in one process, so that addresses differ.  The last line is `N passed, N failed`.
cd "$(dirname "$0")/../.." || exit 1
copy=build/nondeterminism
only=$1
passed=0 failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
rm -rf $copy && mkdir -p $copy/build && cp -a Makefile broker common controller proto tests $copy || exit 1
for made in build/gen build/release; do
	[ ! -d $made ] || cp -a $made $copy/build # what is built already need not be again
done
cd $copy || exit 1

build() { make -j2 WARN= build/release/weir-sim >"$out" 2>&1 || { cat "$out"; exit 1; }; }
by_lint() { ! sh tests/lint/purity.sh build/release/obj "$PWD/tests/lint" >"$out" 2>&1; }
by_hash() { ! build/release/weir-sim 1 --seeds 50 --twice --brief --stop >"$out" 2>&1; }
by_valgrind() {
	! valgrind --quiet --error-exitcode=9 --exit-on-first-error=yes --trace-children=yes \
		build/release/weir-sim 1 --brief --for 1s --batches 20 >"$out" 2>&1
}

# chance NAME CATCHER FILE PERL: the perl expression must change the file.
chance() {
	[ -z "$only" ] || [ "$only" = "$1" ] || return
	if [ "$2" = by_valgrind ] && ! command -v valgrind >/dev/null; then
		echo "SKIP nondeterminism/$1 valgrind is not installed"
		return
	fi
	cp "$3" "$3.kept"
	perl -0pi -e "$4" "$3"
	if cmp -s "$3" "$3.kept"; then
		echo "FAIL nondeterminism/$1 its line is not in $3 any more"
		failed=$((failed + 1))
	elif build && "$2"; then
		echo "PASS nondeterminism/$1 $2: $(grep -aE 'calls|VIOLATION|ninitialised' "$out" |
			head -n 1 | cut -c 1-100)"
		passed=$((passed + 1))
	else
		echo "FAIL nondeterminism/$1 is not caught $2"
		failed=$((failed + 1))
	fi
	mv "$3.kept" "$3"
	touch "$3"
}

chance wall_clock_in_a_core by_lint broker/core/replica.c \
	's/(#include "broker\/core\/replica.h"\n)/$1#include <time.h>\n/; s/(static void advance_high_watermark\(struct replica \*r.*?\{\n)/$1\tif (time(NULL) == 0)\n\t\treturn;\n/s'
chance wall_clock_in_a_shell by_hash broker/shard/wait.c \
	's/(#include "broker\/shard\/wait.h"\n)/$1#include <time.h>\n/; s/i64_max\(timeout_ms, 0\)/i64_max(timeout_ms, 0) + clock() % 7/'
chance order_of_addresses by_hash broker/shard/shard.c \
	's/map_init\(&s->partitions, prng_u64\(&env->prng\)\)/prng_u64(&env->prng);\n\tmap_init(&s->partitions, (uint64_t)(uintptr_t)s * 0x9e3779b97f4a7c15u)/'
chance uninitialised_byte by_valgrind broker/core/epoch_cache.c \
	's/c->v\[c->n\+\+\] = e;/c->v[c->n++].epoch = e.epoch;/'
build
by_hash && { cat "$out"; echo "FAIL nondeterminism/none the tree itself differs"; failed=$((failed + 1)); }
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
