"""shape.py - does an answer of `weir -o json` have the shape that the command's help documents?

A shape is `Kind[fields]` (a list: {"kind", "version", "items"}) or `Kind{fields}` (one object). A field
is name:type; type is int, num, str, bool, any, [type], {fields} or <type> (an object of any keys), and
a ? behind it allows null. Every documented field must be there, and no other. Where a command has
several kinds of answers their shapes stand one behind the other, with | between them.
"""
import re


class Mismatch(Exception):
    """The answer is not as documented."""


def tokens(text):
    return re.findall(r"[A-Za-z_][A-Za-z_0-9]*|[\[\]{}<>:?]", text)


class Parser:
    def __init__(self, text):
        self.left = tokens(text)

    def take(self, want=None):
        if not self.left or (want and self.left[0] != want):
            raise Mismatch(f"the shape itself is wrong before {self.left[:3]}: want {want}")
        return self.left.pop(0)

    def fields(self, end):
        out = {}
        while self.left and self.left[0] != end:
            name = self.take()
            self.take(":")
            out[name] = self.type()
        self.take(end)
        return ("object", out)

    def type(self):
        word = self.take()
        if word == "[":
            kind = ("list", self.type())
            self.take("]")
        elif word == "{":
            kind = self.fields("}")
        elif word == "<":
            kind = ("map", self.type())
            self.take(">")
        else:
            kind = (word, None)
        if self.left and self.left[0] == "?":
            self.take()
            return ("null or", kind)
        return kind

    def whole(self):
        name, opening = self.take(), self.take()
        shape = self.fields("]" if opening == "[" else "}")
        if self.left:
            raise Mismatch(f"the shape goes on with {self.left}")
        return name, opening == "[", shape


def check_value(value, shape, where):
    kind, inner = shape
    simple = {"int": int, "num": (int, float), "str": str, "bool": bool}
    if kind == "any":
        return
    if kind == "null or":
        if value is not None:
            check_value(value, inner, where)
    elif kind in simple:
        if not isinstance(value, simple[kind]) or (kind != "bool" and isinstance(value, bool)):
            raise Mismatch(f"{where} is {value!r}, want {kind}")
    elif kind == "list":
        if not isinstance(value, list):
            raise Mismatch(f"{where} is {value!r}, want a list")
        for i, v in enumerate(value):
            check_value(v, inner, f"{where}[{i}]")
    elif not isinstance(value, dict):
        raise Mismatch(f"{where} is {value!r}, want an object")
    elif kind == "map":
        for k, v in value.items():
            check_value(v, inner, f"{where}.{k}")
    elif value.keys() != inner.keys():
        raise Mismatch(f"{where}: not documented {sorted(value.keys() - inner.keys())}, "
                       f"missing {sorted(inner.keys() - value.keys())}")
    else:
        for k, v in value.items():
            check_value(v, inner[k], f"{where}.{k}")


def check(answer, text):
    """answer: the parsed JSON; text: the documented shape."""
    shapes = [Parser(one).whole() for one in text.split(" | ")]
    kind, is_list, shape = next((s for s in shapes if s[0] == answer.get("kind")), shapes[0])
    if answer.get("kind") != kind or answer.get("version") != 1:
        raise Mismatch(f"kind {answer.get('kind')!r} version {answer.get('version')!r}, want {kind!r} 1")
    if not is_list:
        check_value({k: v for k, v in answer.items() if k not in ("kind", "version")}, shape, kind)
        return
    if answer.keys() != {"kind", "version", "items"}:
        raise Mismatch(f"{kind} has {sorted(answer)}")
    check_value(answer["items"], ("list", shape), kind)
