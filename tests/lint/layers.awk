# layers.awk LAYERS FILES... : every #include must be one that layers.txt allows.
function folder_of(path) { sub(/\/[^\/]*$/, "", path); return path }
function rule_of(folder) {
	while (!(folder in allowed) && folder ~ /\//)
		folder = folder_of(folder)
	return folder
}
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad++ }
FNR == 1 { nth++; rule = rule_of(folder_of(FILENAME)) }
nth == 1 {
	sub(/#.*/, "")
	if (!match($0, /:[ \t]/) && $0 !~ /:$/)
		next
	key = $1
	sub(/:$/, "", key)
	$1 = ""
	if (key ~ /^</)
		home[key] = $0 " "
	else
		allowed[key] = $0 " "
	next
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	if (part[2] !~ /\//) {
		complain("include \"" part[2] "\" by its path from the root")
		next
	}
	target = folder_of(part[2])
	if (!(rule in allowed))
		complain("no rule in layers.txt for " rule)
	else if (target != folder_of(FILENAME) && target != rule && allowed[rule] !~ / \* / &&
		 index(allowed[rule], " " target " ") == 0)
		complain(rule " must not include " target " (" part[2] ")")
}
/^[ \t]*#[ \t]*include[ \t]*</ {
	for (h in home)
		if (index($0, h) && index(home[h], " " rule " ") == 0)
			complain(h " is included by" home[h] "only")
}
END { exit bad > 0 }
