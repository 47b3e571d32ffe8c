#!/bin/sh
# purity.sh OBJDIR: the pure folders call nothing but themselves and what purity.txt allows.
cd "$1" || exit 1
lint=$2
objs=$(find common/base common/wire common/meta broker/core controller/core build/gen -name '*.o' 2>/dev/null)
[ -n "$objs" ] || exit 0
{
	sed 's/^/R /' "$lint/purity.txt"
	nm -A --defined-only $objs | sed 's/^/D /'
	nm -A -u $objs | sed 's/^/U /'
} | awk '
$1 == "R" {
	if ($2 ~ /^#/ || NF < 2) next
	if ($2 ~ /\.o:$/) one["^" substr($2, 1, length($2) - 1) "$"] = "^(" $3 ")$"
	else any = any (any ? "|" : "") $2
	next
}
function excepted(base, symbol,   o) {
	for (o in one)
		if (base ~ o && symbol ~ one[o])
			return 1
	return 0
}
$1 == "D" { ours[$NF] = 1; next }
{
	obj = $2
	sub(/:.*/, "", obj)
	base = obj
	sub(/.*\//, "", base)
	if ($NF in ours || $NF ~ "^(" any ")$" || excepted(base, $NF))
		next
	src = obj
	sub(/\.o$/, ".c", src)
	print src ": calls " $NF ", which a pure part must not"
	bad = 1
}
END { exit bad }'
