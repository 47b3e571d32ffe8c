#!/bin/bash
# smoke.sh - the shortest proof of life: 1 controller, 3 brokers, kcat in, the leader's kill -9, kcat
# out.  What went in must come out once and in full, from three equal logs.
set -u
bin=$(realpath "${BUILD:-build/release}")
dir=$(mktemp -d)
base=${SMOKE_PORT:-21320}
brokers=127.0.0.1:$((base + 1)),127.0.0.1:$((base + 2)),127.0.0.1:$((base + 3))
trap 'kill -9 $(jobs -p) 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT

fail() { echo "FAIL smoke $1"; tail -n 5 "$dir"/*.log; exit 1; }
broker() { # broker N : starts it
	"$bin/weir-broker" "$dir/$1.properties" >>"$dir/broker-$1.log" 2>&1 &
	eval "pid_$1=$!"
}

cat >"$dir/controller.properties" <<-END
	process.roles=controller
	node.id=100
	listeners=CONTROLLER://127.0.0.1:$base
	controller.quorum.voters=100@127.0.0.1:$base
	metadata.log.dir=$dir/controller
END
"$bin/weir-controller" "$dir/controller.properties" >"$dir/controller.log" 2>&1 &
for i in 1 2 3; do
	cat >"$dir/$i.properties" <<-END
		node.id=$i
		listeners=PLAINTEXT://127.0.0.1:$((base + i))
		controller.quorum.bootstrap.servers=127.0.0.1:$base
		log.dirs=$dir/broker-$i
	END
	broker $i
done

weir="$bin/weir -b $brokers"
for _ in $(seq 300); do
	timeout 10 $weir topics create smoke --partitions 3 --replication-factor 3 >"$dir/create.log" 2>&1 && break
	sleep 0.1
done
timeout 10 $weir topics describe smoke >"$dir/describe.log" 2>&1 || fail "the topic cannot be made"
leader=$(awk '$1 == 0 { print substr($2, 1, 1) }' "$dir/describe.log")

seq 200000 >"$dir/in"
(head -n 100000 "$dir/in"; sleep 1; tail -n 100000 "$dir/in") |
	timeout 60 kcat -q -b $brokers -P -t smoke -X acks=all -X enable.idempotence=true 2>"$dir/kcat.log" &
producer=$!
sleep 0.5
eval "kill -9 \$pid_$leader"
wait $producer || fail "the producer was refused"
broker "$leader"
timeout 60 kcat -q -b $brokers -C -t smoke -o beginning -e 2>>"$dir/kcat.log" | sort -n >"$dir/out"
cmp -s "$dir/in" "$dir/out" || fail "read $(wc -l <"$dir/out") records, $(uniq -d "$dir/out" | wc -l) of them twice"
for _ in $(seq 600); do
	distinct=$(md5sum "$dir"/broker-?/smoke-*/*.log | awk '{ print $1 }' | sort -u | wc -l)
	[ "$distinct" = 3 ] && break
	sleep 0.1
done
[ "$distinct" = 3 ] || fail "the replicas' logs differ"
echo "PASS smoke"
