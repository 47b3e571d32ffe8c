#!/bin/sh
# run.sh [STEP...]: installs what is missing, builds, runs every test.  A bare Debian 12 or 13 will do.
#   lint    the rules of tests/lint
#   plain   unit, wire and story tests, release build
#   clang   everything compiles with clang too
#   sim     simulated clusters: scenes, schedules, seeds, some of them twice, some sanitized; chance
#   asan    unit, wire, story and e2e under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan    what has threads, in unit tests and e2e with several shards, under ThreadSanitizer
# The last line is `N passed, N failed`; logs are in build/test-logs.
cd "$(dirname "$0")/.." || exit 1
sh deploy/setup.sh build test || exit 1

# Sanitizers cost an order of magnitude, and a busy machine another few.
export TEST_SECONDS=300
jobs=$(nproc)
logs=build/test-logs
passed=0 failed=0
mkdir -p $logs
count=$(mktemp)
trap 'rm -f "$count"' EXIT

# part NAME SECONDS COMMAND...: one make; its last `N passed, N failed` counts.  Verdicts are shown
# as they come, and the end of the log when something failed.  SECONDS end what hangs: a machine that
# is slow and busy needs far less.
part() {
	name=$1 seconds=$2
	shift 2
	started=$(date +%s)
	{ timeout -k 10 "$seconds" "$@" 2>&1; echo "exit $?"; } | tee "$logs/$name.log" |
		grep --line-buffered '^PASS \|^FAIL \|^SKIP \|[1-9][0-9]* failed$' | sed -u "s/^/  /"
	rc=$(sed -n 's/^exit \([0-9]*\)$/\1/p' "$logs/$name.log" | tail -n 1)
	grep -o '^[0-9]* passed, [0-9]* failed$' "$logs/$name.log" | tail -n 1 >"$count"
	p=0 f=0
	read -r p _ f _ <"$count"
	if [ "$rc" != 0 ]; then
		tail -n 60 "$logs/$name.log"
		[ "${f:-0}" != 0 ] || f=1
	fi
	passed=$((passed + ${p:-0})) failed=$((failed + ${f:-0}))
	echo "$name: ${p:-0} passed, ${f:-0} failed, $(($(date +%s) - started)) s"
}

step_lint() { part lint 900 make -j"$jobs" lint; }
step_plain() {
	for kind in unit wire story; do
		part plain-$kind 900 make -j"$jobs" $kind
	done
}
step_clang() { part clang 900 make -j"$jobs" CC=clang check; }
step_asan() {
	for kind in unit wire story; do
		part asan-$kind 1800 make -j"$jobs" BUILD=asanubsan $kind
	done
	part asan-e2e 2700 make -j"$jobs" BUILD=asanubsan e2e
}
step_sim() {
	part sim-scenes 600 make -j"$jobs" sim-scenes
	part sim-schedules 600 make -j"$jobs" sim-schedules
	part sim-swarm 1200 make -j"$jobs" sim-swarm N=2000
	part sim-twice 600 make -j"$jobs" sim-twice SEED=100 N=50
	part sim-chance 1200 make -j"$jobs" sim-chance
	part asan-sim 1800 make -j"$jobs" BUILD=asanubsan sim-swarm SEED=5000 N=500
}
# TSan needs the address layout that setarch -R gives on kernels with many random bits.
step_tsan() {
	fixed=
	setarch -R true 2>/dev/null && fixed="setarch -R"
	for what in net base/buf env rpc; do
		# shellcheck disable=SC2086
		part tsan-"${what#base/}" 900 $fixed make -j"$jobs" BUILD=tsan unit T=unit/$what
	done
	# shellcheck disable=SC2086
	part tsan-e2e 900 $fixed make -j"$jobs" BUILD=tsan e2e T=acks
}

for step in ${*:-lint plain clang sim asan tsan}; do
	"step_$step"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
