#!/bin/sh
# singleuse.sh OBJDIR: exported functions that no other object uses.  Prints `singleuse path name`.
cd "$1" || exit 1
objs=$(find common broker controller tests -name '*.o' 2>/dev/null)
gen=$(find build/gen -name '*.o' 2>/dev/null)
[ -n "$objs" ] || exit 0
{
	nm -A -u $objs $gen | awk '{ print "U", $NF }'
	nm -A --defined-only $(echo "$objs" | grep -v ^tests/) | awk '$2 ~ /^[TDRB]$/ { sub(/:.*/, "", $1); print "D", $1, $NF }'
} | awk '
$1 == "U" { used[$2] = 1; next }
$3 != "main" && !($3 in used) {
	sub(/\.o$/, ".c", $2)
	print "singleuse " $2 " " $3 ": exported and used nowhere else: make it static or remove it"
}'
