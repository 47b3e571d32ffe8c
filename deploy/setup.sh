#!/bin/sh
# setup.sh SET... : installs the Debian packages that a set needs and that are not there yet.
#   build  compiler and libraries       demo  what deploy/demo.sh runs     test  what tests/run.sh runs
# Asks apt only when something is missing; as root, or through sudo.  Says nothing when all is there.
set -eu

build="gcc libc6-dev make pkg-config libevent-dev libprotobuf-c-dev protobuf-c-compiler
	protobuf-compiler zlib1g-dev liblz4-dev libzstd-dev libsnappy-dev"
demo="kcat librdkafka-dev"
test="kcat python3 python3-confluent-kafka librdkafka-dev clang clang-format cppcheck valgrind procps"

installed() {
	dpkg-query -W -f '${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^.i'
}

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $demo" ;;
	test) wanted="$wanted $test" ;;
	*) echo "setup.sh: no such set: $set (build, demo, test)" >&2; exit 2 ;;
	esac
done

missing=
for p in $wanted; do
	installed "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup.sh: this is not Debian; please install what these packages hold:$missing" >&2
	exit 1
elif [ "$(id -u)" = 0 ]; then
	as_root="env"
elif command -v sudo >/dev/null; then
	as_root="sudo"
else
	echo "setup.sh: neither root nor sudo here; please have these packages installed:$missing" >&2
	exit 1
fi

echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt="$as_root DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086 # lists of words on purpose
if ! { $apt update && $apt install -y --no-install-recommends $missing; } </dev/null >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup.sh: apt could not install:$missing" >&2
	exit 1
fi
