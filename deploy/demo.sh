#!/bin/bash
# demo.sh - first light: a million real lines through three brokers, the leader killed in the
# middle, and every acknowledged line read back.
#
#   deploy/demo.sh            exit 0: nothing lost, nothing twice, replicas equal; 1: the claim broke
#
# Runs on a bare Debian 12 or 13: installs what it needs (apt, as root or through sudo), builds,
# starts one controller and three brokers on loopback, and removes all of it afterwards.
#   LINES_MAX=N   how many lines to stream (default a million)
#   BASE_PORT=P   of the first broker, the others 1000 apart; default 19092 or lower, where it is free
#   KEEP=1        leave the files of the run where they are
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

PARTITIONS=6
LINES_MAX=${LINES_MAX:-1000000}
CHUNK=$((LINES_MAX / PARTITIONS / 80 + 1))      # lines that a partition gets at a time
BASE_PORT=${BASE_PORT:-}
PORT_STEP=1000          # stays below the ports that the kernel gives to outgoing connections
GAP_SECONDS=4           # how long the one-record-a-millisecond producer runs around the kill
WEIR=build/release/weir
GAP=build/release/tests/perf/rdkafka_bench
dir=$(mktemp -d /tmp/weir-demo.XXXXXX)
began=
verdict=1

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' dim=$'\033[2m' red=$'\033[31m' green=$'\033[32m' plain=$'\033[0m'
else
	bold='' dim='' red='' green='' plain=''
fi

now_ms() { echo $(( ${EPOCHREALTIME/[.,]/} / 1000 )); }
say() {
	local t=$(( $(now_ms) - began ))
	printf '%st+%2d.%ds%s  %s\n' "$dim" $((t / 1000)) $((t % 1000 / 100)) "$plain" "$*"
}
number() { printf '%s' "$1" | sed -e ':a' -e 's/\([0-9]\)\([0-9]\{3\}\)\($\| \)/\1 \2\3/;ta'; }
fail() {
	printf '%sFAILED%s  %s\n' "$red$bold" "$plain" "$*" >&2
	exit 1
}

clean_up() {
	trap - EXIT
	# Only what this script started, by its ids.
	local pids
	pids=$(jobs -p)
	[ -z "$pids" ] || kill $pids 2>/dev/null
	if [ "$verdict" != 0 ]; then
		for log in "$dir"/cluster/*/*.log; do
			[ -s "$log" ] && { echo "--- ${log#"$dir"/}"; { grep -E ' (WARN|ERROR) ' "$log" || tail -n 3 "$log"; } | tail -n 8; } >&2
		done
	fi
	if [ -e "$dir/cluster/cluster.properties" ]; then
		if [ -n "${KEEP:-}" ]; then
			"$WEIR" local down --dir "$dir/cluster" >/dev/null 2>&1
		else
			"$WEIR" local purge --dir "$dir/cluster" --yes >/dev/null 2>&1
		fi
	fi
	if [ -n "${KEEP:-}" ]; then
		echo "files of this run: $dir"
	else
		rm -rf "$dir"
	fi
	exit "$verdict"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ---- packages, programs, lines ------------------------------------------------------------------

prepare() {
	deploy/setup.sh build demo || fail "the packages above are needed"
	echo "${dim}building, which takes a minute or two the first time ...$plain"
	make -s -j2 all "$GAP" >"$dir/make.log" 2>&1 || { cat "$dir/make.log" >&2; fail "the build broke"; }
}

# The package index that apt holds, empty lines left out.  A fresh container has none: fetch it.
collect_lines() {
	local index="$dir/index" have times=1
	apt-cache dumpavail 2>/dev/null | sed '/^$/d' >"$index"
	if [ "$(wc -l <"$index")" -lt "$LINES_MAX" ]; then
		local as_root=
		[ "$(id -u)" = 0 ] || as_root=sudo
		$as_root apt-get -qq update >/dev/null 2>&1     # offline: what is there will do
		apt-cache dumpavail | sed '/^$/d' >"$index"
	fi
	have=$(wc -l <"$index")
	[ "$have" -gt 0 ] || fail "apt-cache dumpavail gives no lines"
	# Too short an index is streamed several times; the line below says so.
	while [ $((have * times)) -lt "$LINES_MAX" ]; do times=$((times + 1)); done
	for _ in $(seq "$times"); do cat "$index"; done | head -n "$LINES_MAX" |
		awk -v p="$PARTITIONS" -v dir="$dir" '{ print > (dir "/in." (NR - 1) % p) }'
	lines=$(cat "$dir"/in.* | wc -l)
	bytes=$(cat "$dir"/in.* | wc -c)
	origin="$(number "$have") lines of apt's package index"
	[ "$times" = 1 ] || origin="$origin, over and over"
}

# ---- the cluster --------------------------------------------------------------------------------

# Brokers on base, base + step, base + 2 step; the controller on base + 1.
choose_ports() {
	local base port
	[ -z "$BASE_PORT" ] || return
	for ((base = 19092; base > 10000; base -= 100)); do
		for port in $base $((base + 1)) $((base + PORT_STEP)) $((base + 2 * PORT_STEP)); do
			(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
		done
		BASE_PORT=$base
		return
	done
	fail "no free ports from 19092 down"
}

start_cluster() {
	local out
	out=$("$WEIR" local up -n 3 --dir "$dir/cluster" --base-port "$BASE_PORT" \
		--port-step "$PORT_STEP" 2>&1) ||
		{ echo "$out" >&2; fail "the cluster did not start"; }
	brokers=$("$WEIR" local env --dir "$dir/cluster" | sed 's/.*=//')
	export WEIR_BOOTSTRAP=$brokers
	say "${bold}1 controller, 3 brokers$plain up: $(sed -n 's/.*ready in/ready in/p' <<<"$out" | tail -n 1)"
	# Placement is written out so that broker 1 leads what the gap is measured on.
	"$WEIR" topics create lines -c min.insync.replicas=2 --replicas 1,2,3 --replicas 2,3,1 --replicas 3,1,2 \
		--replicas 1,3,2 --replicas 2,1,3 --replicas 3,2,1 >/dev/null || fail "topic lines"
	"$WEIR" topics create pulse -c min.insync.replicas=2 --replicas 1,2,3 --replicas 2,3,1 --replicas 3,1,2 \
		>/dev/null || fail "topic pulse"
	say "topic ${bold}lines$plain: $PARTITIONS partitions, RF 3, min.insync.replicas 2"
}

committed() {
	"$WEIR" topics describe lines -o json 2>/dev/null |
		grep -o '"hw":[0-9]*' | awk -F: '{ n += $2 } END { print n + 0 }'
}

isr_is_full() { [ -z "$("$WEIR" isr list --shrunk -o name 2>/dev/null)" ]; }

# ---- the stream and the kill --------------------------------------------------------------------

# All at once a million lines would be in before anybody could kill anything: a chunk of each
# partition every few milliseconds makes it a stream of some seconds.
trickle() {
	local i
	for ((i = 0; i < lines; i += CHUNK * PARTITIONS)); do
		head -n "$CHUNK"
		sleep 0.04
	done
}

start_stream() {
	local p
	producers=()
	for ((p = 0; p < PARTITIONS; p++)); do
		trickle <"$dir/in.$p" | kcat -P -b "$brokers" -t lines -p $p -X acks=all \
			-X enable.idempotence=true 2>"$dir/err.$p" &
		producers[p]=$!
	done
	streamed=$(now_ms)
	say "streaming ${bold}$(number "$lines")$plain lines ($((bytes / 1000000)) MB; $origin) with kcat, acks=all, idempotent"
}

start_pulse() {
	"$GAP" gap -b "$brokers" -t pulse -p 3 -n "$GAP_SECONDS" >"$dir/gap" 2>"$dir/gap.err" &
	pulse=$!
	for _ in $(seq 500); do
		grep -q go "$dir/gap" && return
		sleep 0.01
	done
	cat "$dir/gap.err" >&2
	fail "the producer that measures the gap gets no acknowledgements"
}

wait_for_committed() {
	local deadline=$(( $(now_ms) + 60000 ))
	while n=$(committed); [ "$n" -lt "$1" ]; do
		[ "$(now_ms)" -lt "$deadline" ] || fail "only $n lines were committed within a minute"
	done
}

# The producer that measures the gap starts in time to have its acknowledgements flowing at half way.
kill_leader() {
	local n=0 out
	wait_for_committed $((lines / 3))
	start_pulse
	wait_for_committed $((lines / 2))
	out=$("$WEIR" local kill leader-of lines-0 --dir "$dir/cluster") || fail "nothing was killed"
	killed=$(now_ms)
	[ "$n" -lt "$lines" ] || fail "the stream was over before the kill"
	victim=$(sed 's/killed broker \([0-9]*\).*/\1/' <<<"$out")
	say "$red${bold}SIGKILL$plain broker $victim, leader of lines-0 and lines-3, with $(number "$n") lines committed"
}

# The others go on without it for a second before it comes back.
watch_election() {
	local leader=$victim
	while [ -z "$leader" ] || [ "$leader" = "$victim" ] || [ "$leader" = none ]; do
		[ $(( $(now_ms) - killed )) -lt 10000 ] || fail "no new leader within ten seconds"
		leader=$("$WEIR" partitions list lines --no-headers 2>/dev/null | awk '$2 == 0 { print $3 }')
	done
	say "broker $leader leads lines-0 now, seen $(( $(now_ms) - killed )) ms after the kill"
	sleep 1
}

restart_victim() {
	local out
	out=$("$WEIR" local restart "$victim" --dir "$dir/cluster") || fail "broker $victim does not come back"
	say "broker $victim restarted, $(sed 's/.*\(ready in .*\)/\1/' <<<"$out")"
}

# kcat ends with 0 only when every line it read was acknowledged; otherwise it names each that was not.
finish_stream() {
	local p failed=0 n
	for ((p = 0; p < PARTITIONS; p++)); do
		wait "${producers[p]}" && continue
		n=$(grep -c 'Delivery failed' "$dir/err.$p")
		[ "$n" -gt 0 ] || { cat "$dir/err.$p" >&2; fail "kcat of partition $p ended in error"; }
		failed=$((failed + n))
	done
	acknowledged=$((lines - failed))
	local ms=$(( $(now_ms) - streamed ))
	say "kcat is done: ${bold}$(number $acknowledged)$plain acknowledged, $failed refused; the stream took $((ms / 1000)).$((ms % 1000 / 100))s"
}

wait_in_sync() {
	local deadline=$(( $(now_ms) + 30000 ))
	until isr_is_full; do
		[ "$(now_ms)" -lt "$deadline" ] || { "$WEIR" isr list --shrunk >&2; fail "broker $victim is not back in every ISR"; }
		sleep 0.05
	done
	say "broker $victim is back in every ISR"
}

# ---- reading back -------------------------------------------------------------------------------

read_back() {
	local p readers=()
	for ((p = 0; p < PARTITIONS; p++)); do
		kcat -C -q -b "$brokers" -t lines -p $p -o beginning -e -X check.crcs=true \
			>"$dir/out.$p" 2>"$dir/err.$p" &
		readers[p]=$!
	done
	for ((p = 0; p < PARTITIONS; p++)); do
		wait "${readers[p]}" || { cat "$dir/err.$p" >&2; fail "reading partition $p"; }
	done
	read=$(cat "$dir"/out.* | wc -l)
}

# Line by line and in order first; only when that fails, count what is missing and what is too much.
compare_text() {
	local p
	lost=0 duplicated=0 order="in order"
	for ((p = 0; p < PARTITIONS; p++)); do
		cmp -s "$dir/in.$p" "$dir/out.$p" && continue
		sort "$dir/in.$p" >"$dir/a"
		sort "$dir/out.$p" >"$dir/b"
		lost=$((lost + $(comm -23 "$dir/a" "$dir/b" | wc -l)))
		duplicated=$((duplicated + $(comm -13 "$dir/a" "$dir/b" | wc -l)))
		order="NOT the text that went in (partition $p)"
	done
	[ "$lost$duplicated$order" = "00in order" ]
}

measure_gap() {
	wait "$pulse" || { cat "$dir/gap.err" >&2; fail "the producer that measures the gap: $(tail -n 1 "$dir/gap")"; }
	[ $(( $(now_ms) - killed )) -ge 1000 ] || fail "the gap was not measured: its producer ended too early"
	gap=$(sed -n 's/.*gap_ms=\([0-9.]*\).*/\1/p' "$dir/gap")
}

main() {
	prepare
	collect_lines
	began=$(now_ms)
	choose_ports
	start_cluster
	start_stream
	kill_leader
	watch_election
	restart_victim
	finish_stream
	wait_in_sync
	read_back
	local text=0 bytes_equal=0 out
	compare_text && text=1
	say "read back $(number "$read") lines; per partition: $order"
	measure_gap
	say "write gap of the killed leader, seen by a librdkafka producer with defaults: ${bold}$gap ms$plain"
	if out=$("$WEIR" partitions verify lines pulse --dir "$dir/cluster" 2>&1); then
		bytes_equal=1
		say "replicas' logs: $(grep -c 'equal$' <<<"$out") partitions x 3 replicas, byte-equal below the high watermark"
	else
		echo "$out" >&2
	fi
	printf '\n%sacknowledged %s   read %s   lost %d   duplicated %d   write gap %s ms   replicas %s%s\n' "$bold" \
		"$(number "$acknowledged")" "$(number "$read")" "$lost" "$duplicated" "$gap" \
		"$([ $bytes_equal = 1 ] && echo equal || echo DIFFERENT)" "$plain"
	if [ "$text$bytes_equal" = 11 ] && [ "$acknowledged" = "$lines" ] && [ "$read" = "$lines" ]; then
		verdict=0
		printf '%sOK%s\n' "$green$bold" "$plain"
	else
		fail "the claim does not hold"
	fi
}
main
