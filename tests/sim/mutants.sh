#!/bin/sh
# mutants.sh [NAME...]: puts known bugs into copies of the tree, one at a time, and lets the simulator
# look for each: seeds first, then a storm of what disks do, then scenes; where mutants_list.sh says
# so, something else first.  A seed finds nothing if it fails without the bug, too.  Those of raft are
# raft_mutants.sh's.  A simulator that cannot find them is decoration.
# SEEDS: how many each may take (2000).  JOBS: how many are looked for at a time (2).  --list: only
# the names; --check: only whether their lines are still there.  Ends with a table, what to do about
# those that survived, and `N passed, N failed`.
cd "$(dirname "$0")/../.." || exit 1
list=tests/sim/mutants_list.sh
dir=build/mutants
seeds=${SEEDS:-2000}
storm='--sync-rate 1/s --power-rate 1/s'
storm_seeds=60
sim=build/release/weir-sim
clean=$dir/weir-sim
only=$* by=

by() { by=$1; }

if [ "$1" = --list ]; then
	mutant() { echo "$1"; }
	. $list
	exec tests/sim/raft_mutants.sh --list
fi
if [ "$1" = --check ]; then
	passed=0 failed=0
	mutant() {
		name=$1
		shift
		while [ $# -gt 0 ]; do
			if perl -0pe "$2" "$1" | cmp -s - "$1"; then
				echo "FAIL mutant/$name its line is not in $1 any more"
				failed=$((failed + 1))
			else
				passed=$((passed + 1))
			fi
			shift 2
		done
	}
	. $list
	echo "$passed passed, $failed failed"
	exit $((failed > 0))
fi
for name in $only; do
	tests/sim/mutants.sh --list | grep -qx "$name" && continue
	echo "FAIL mutants: there is no $name; tests/sim/mutants.sh --list"
	exit 1
done

prepare() {
	rm -rf $dir && mkdir -p $dir/taken $dir/rows $dir/clean || exit 1
	make -j2 $sim >$dir/out 2>&1 || { cat $dir/out; exit 1; }
	cp $sim $clean
	$clean --scenes >$dir/out 2>&1 && return
	grep -a '^FAIL' $dir/out
	echo "FAIL mutants: scenes fail without any bug; make sim-scenes"
	exit 1
}

begin_worker() {
	copy=$dir/$1 out=$dir/out.$1
	mkdir -p $copy/build/release
	cp -a Makefile broker common controller proto tests $copy &&
		cp -a build/gen $copy/build &&
		cp -a build/release/obj build/release/*.a $copy/build/release || exit 1
}

# mutant NAME FILE PERL [FILE PERL]...
mutant() {
	name=$1 first=$by by='' files=''
	shift
	case " ${only:-$name} " in *" $name "*) ;; *) return ;; esac
	mkdir "$dir/taken/$name" 2>/dev/null || return
	begun=$(date +%s) how='' what=''
	while [ $# -gt 0 ]; do
		cp "$copy/$1" "$copy/$1.was" && perl -0pi -e "$2" "$copy/$1"
		files="$files $copy/$1"
		cmp -s "$copy/$1" "$copy/$1.was" && { what="its line is not in $1 any more"; break; }
		shift 2
	done
	[ -n "$what" ] || look
	row "${how:-SURVIVED}" "$what"
	for file in $files; do cp "$file.was" "$file" && rm "$file.was"; done
}

look() {
	if ! make -C $copy -j2 WARN= $sim >"$out" 2>&1; then
		what="it does not compile: $(grep -a error: "$out" | head -n 1)"
		return
	fi
	for way in $first; do
		case $way in
		scenes) by_scenes ;;
		storm) by_seeds $storm_seeds $storm ;;
		*) by_test "$way" ;;
		esac && return
	done
	by_seeds "$seeds" || by_seeds $storm_seeds $storm || by_scenes ||
		what="neither $seeds seeds nor a storm nor a scene"
}

# by_seeds N [OPTION...]
by_seeds() {
	last=$1 from=1
	shift
	while [ $from -le "$last" ]; do
		$copy/$sim $from --seeds $((last - from + 1)) --stop --brief "$@" >"$out" 2>&1 && return 1
		seed=$(sed -n 's/^replay: weir-sim \([0-9]*\).*/\1/p' "$out" | head -n 1)
		[ -n "$seed" ] || return 1
		from=$((seed + 1))
		$clean "$seed" --brief "$@" >"$out.clean" 2>&1 || continue
		how="$seed seeds${1:+ of storm}"
		what=$(told)
		return 0
	done
	return 1
}

by_scenes() {
	$copy/$sim --scenes >"$out" 2>&1 && return 1
	failed=$(sed -n 's,^FAIL scene/,,p' "$out")
	how="scene $(echo "$failed" | head -n 1)"
	[ "$(echo "$failed" | wc -l)" = 1 ] || how="$how and $(($(echo "$failed" | wc -l) - 1)) more"
	what=$(told)
}

# by_test PATH: it must pass without the bug.
by_test() {
	test=build/release/tests/$1
	make -C $copy -j2 WARN= "$test" >"$out" 2>&1 || { cat "$out"; return 1; }
	(cd $copy && timeout 600 "$test") >"$out" 2>&1 && return 1
	how="test $1"
	what=$(grep -aE '^FAIL|^ASSERT' "$out" | head -n 1)
	make -j2 "$test" >"$out" 2>&1 && timeout 600 "$test" >"$out" 2>&1 && return 0
	how='' what=''
	return 1
}

# In few words: the rule's number, or what was said instead.
told() {
	grep -aE '^(VIOLATION|STUCK|CRASH)|ASSERT' "$out" | head -n 1 |
		sed -E 's/^VIOLATION at [0-9.]+ ms: //; s/^(STUCK) at [0-9.]+ ms/\1/' | cut -c 1-100
}

row() {
	seconds=$(($(date +%s) - begun))
	printf '%-42s %-50s %4s s  %s\n' "$name" "$1" $seconds "$2" >"$dir/rows/$name"
	[ "$1" = SURVIVED ] && verdict=FAIL || verdict=PASS
	echo "$verdict mutant/$name $1: $2"
}

work() {
	begin_worker "$1"
	. $list
}

summary() {
	echo
	printf '%-42s %-50s %6s  %s\n' bug 'found by' took 'what it said'
	mutant() { cat "$dir/rows/$1" 2>/dev/null; }
	. $list
	sed -n 's,^PASS mutant/\([^ ]*\) ,\1 ,p; s,^FAIL mutant/\([^ ]*\),\1 SURVIVED,p' $dir/raft 2>/dev/null |
		while read -r bug rest; do printf '%-42s %-57s  %s\n' "$bug" 'tests of raft' "$rest"; done
	cat $dir/rows/* $dir/raft 2>/dev/null >$dir/all
	failed=$(grep -aE ' SURVIVED |^FAIL' $dir/all | wc -l)
	passed=$(($(grep -aEc '' $dir/all) - failed))
}

prepare
for job in $(seq "${JOBS:-2}"); do work "$job" & done
wait
if [ -z "$only" ] || tests/sim/raft_mutants.sh --list | grep -qxF "$(echo "$only" | tr ' ' '\n')"; then
	# shellcheck disable=SC2086
	SEEDS= tests/sim/raft_mutants.sh $only | grep -a / | tee $dir/raft
fi
summary
if [ "$failed" -gt 0 ]; then
	echo "A bug that survived: its line has moved (renew it in $list), or the simulator is too weak"
	echo "(write the scene that sees it), or it is none (say why, and put another in its place)."
	echo "Alone: make mutants BUG=NAME.  More seeds: SEEDS=20000 make mutants BUG=NAME."
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
