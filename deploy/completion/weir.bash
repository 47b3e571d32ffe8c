# Completion of weir in bash: commands, flags, and the names of live topics and partitions.
_weir() {
	local IFS=$'\n'
	COMPREPLY=($(weir __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _weir weir
