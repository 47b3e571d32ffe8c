# tidy.awk FILES... : sizes, width, banned functions.  Prints `check path name: text`; run.sh drops
# what exceptions.txt lists.  A function runs from a `{` in column one to its `}`.
function say(check, name, text) { printf "%s %s %s: line %d: %s\n", check, FILENAME, name, FNR, text }
function width(s,   n, i, c) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n += substr(s, i, 1) == "\t" ? 8 - n % 8 : 1
	return n
}
function close_file() {
	if (lines > (file ~ /\.h$/ ? 150 : 800))
		printf "file-length %s -: %d lines\n", file, lines
}
FNR == 1 { if (file) close_file(); file = FILENAME; infunc = 0; signature = "" }
{ lines = FNR }
length($0) > 60 && width($0) > 100 { say("width", "-", width($0) " columns") }
/[ \t]$/ { say("blank", "-", "blanks at the end of the line") }
/^[a-z].*\(/ { signature = $0; sub(/\(.*/, "", signature); sub(/.*[ *]/, "", signature) }
/^\{/ { infunc = FNR }
/^\}/ && infunc {
	if (FNR - infunc - 1 > 70)
		say("function-length", signature, FNR - infunc - 1 " lines")
	infunc = 0
}
infunc && /^\t\t\t\t\t\t*(if|for|while|switch) \(/ && !/^\t\t\t\t\t\t\t/ { say("nesting", signature, "more than three levels") }
{
	code = $0
	gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
	sub(/\/\/.*/, "", code)
}
match(code, /(^|[^a-z_0-9>.])(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca|rand|srand|gmtime|localtime|ctime|asctime|system|setjmp|longjmp)\(/) {
	name = substr(code, RSTART, RLENGTH)
	gsub(/[^a-z]/, "", name)
	say("banned", name, "this function is not used here")
}
FILENAME !~ /^(common\/base\/base\.c|tests\/|proto\/)/ && match(code, /(^|[^a-z_0-9>.])(malloc|calloc|realloc|strdup|free)\(/) {
	name = substr(code, RSTART, RLENGTH)
	gsub(/[^a-z]/, "", name)
	say("banned", name, "memory comes from mem_alloc, arenas and bufs")
}
/(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)/ && !/XXXX/ { say("todo", "-", $0) }
END { close_file() }
