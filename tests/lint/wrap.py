#!/usr/bin/python3
"""wrap.py FILE.h...: brings lines of headers under 100 columns and touches no other line.

Headers keep their hand-made columns, so clang-format leaves them alone.  A comment behind a long
declaration moves onto a line of its own above it; a long prototype breaks at a comma.  What it
cannot wrap it prints.
"""
import re
import sys

WIDTH = 100


def columns(text):
    n = 0
    for c in text:
        n += 8 - n % 8 if c == "\t" else 1
    return n


def comment_lines(indent, comment):
    words = comment.removesuffix(" */").split(" ")
    words[-1] += " */"
    lines, current = [], indent + words[0]
    for word in words[1:]:
        if columns(f"{current} {word}") > WIDTH:
            lines.append(current)
            current = f"{indent} * {word}"
        else:
            current += f" {word}"
    return lines + [current]


def arguments(text):
    """Splits at the commas that are in no parentheses."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth < 0:  # the list is closed; what follows stays with its last argument
            break
        if c == "," and depth == 0:
            parts.append(text[start:i + 1].strip())
            start = i + 1
    return [p for p in parts + [text[start:].strip()] if p]


def prototype_lines(line):
    pointer = re.match(r"^(\t*[^(]*\(\*?\w+\)\()", line)  # a member: name (*name)(...)
    head = pointer.group(1) if pointer else line[:line.index("(") + 1]
    pad = "\t" * (columns(head) // 8) + " " * (columns(head) % 8)
    args = arguments(line[len(head):])
    lines, current = [], head + args[0]
    for arg in args[1:]:
        if columns(f"{current} {arg}") > WIDTH:
            lines.append(current)
            current = pad + arg
        else:
            current += f" {arg}"
    return lines + [current]


def wrap(line):
    indent = re.match(r"\t*", line).group(0)
    behind = re.match(r"^(.*[;,{])\s*(/\* .* \*/)$", line)
    if behind and not line.lstrip().startswith(("*", "/*")):
        closer = f"{behind.group(1)} {behind.group(2)}"
        if columns(closer) <= WIDTH:
            return [closer]
        return comment_lines(indent, behind.group(2)) + wrap(behind.group(1))
    alone = re.match(r"^\t*(/\* .* \*/)$", line)
    if alone:
        return comment_lines(indent, alone.group(1))
    if columns(line) > WIDTH and re.match(r"^\t*\w[^/{]*\(.*[,;]$", line):
        return prototype_lines(line)
    return [line]


def main():
    for path in sys.argv[1:]:
        with open(path) as f:
            before = f.read()
        lines = []
        for line in before.split("\n"):
            lines += wrap(line) if columns(line) > WIDTH else [line]
        for line in lines:
            if columns(line) > WIDTH:
                print(f"{path}: cannot wrap: {line}")
        if "\n".join(lines) != before:
            with open(path, "w") as f:
                f.write("\n".join(lines))


main()
