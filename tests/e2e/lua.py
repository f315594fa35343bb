"""Python values as Lua source, for configurations and policies that tests write."""

import json
import re
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORDS = {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if",
          "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"}


@dataclass
class Code:
    """Source that goes in as it is."""

    source: str


def quoted(text):
    out = []
    for byte in text.encode("utf-8"):
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif 0x20 <= byte < 0x7F:
            out.append(char)
        else:
            out.append(f"\\{byte:03d}")
    return '"' + "".join(out) + '"'


def literal(value):
    if isinstance(value, Code):
        return value.source
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        fields = []
        for key, item in value.items():
            plain = _NAME.match(str(key)) and key not in _WORDS
            fields.append(f"{key if plain else '[' + quoted(str(key)) + ']'} = {literal(item)}")
        return "{ " + ", ".join(fields) + " }" if fields else "{}"
    if isinstance(value, (list, tuple)):
        return "{ " + ", ".join(literal(item) for item in value) + " }" if value else "{}"
    return json.dumps(value)
