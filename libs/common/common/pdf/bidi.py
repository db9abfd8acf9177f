"""Direction: which way each character of a paragraph reads (Unicode's bidirectional algorithm, UAX 9)."""

import unicodedata
from typing import Final

_STRONG: Final = {"L": "L", "R": "R", "AL": "R"}


def base_level(text: str) -> int:
    """0 for a left-to-right paragraph, 1 for a right-to-left one: the first strong letter decides."""
    for char in text:
        if strong := _STRONG.get(unicodedata.bidirectional(char)):
            return int(strong == "R")
    return 0


def _weak_types(text: str, start: str) -> list[str]:
    """Bidirectional class per character with numbers and their signs resolved (UAX 9, rules W1 to W7)."""
    types: list[str] = []
    for char in text:  # W1, and joiners likewise: a mark takes the class of what it sits on
        kind = unicodedata.bidirectional(char) or "L"
        types.append((types[-1] if types else start) if kind in ("NSM", "BN") else kind)
    strong = start
    for i, kind in enumerate(types):  # W2, W3 (W7 below needs to know which numbers follow Latin)
        if kind in ("L", "R", "AL"):
            strong = kind
        elif kind == "EN":
            types[i] = {"AL": "AN", "L": "EN-L"}.get(strong, "EN")
    for i in range(1, len(types) - 1):  # W4: one separator inside a number belongs to it
        before, kind, after = types[i - 1 : i + 2]
        if before == after and ((kind == "CS" and before in ("EN", "EN-L", "AN")) or (kind == "ES" and before != "AN")):
            types[i] = before if before in ("EN", "EN-L", "AN") else kind
    for indices in (range(len(types)), range(len(types) - 1, -1, -1)):  # W5: currency signs join numbers
        previous = ""
        for i in indices:
            if types[i] == "ET" and previous in ("EN", "EN-L"):
                types[i] = previous
            previous = types[i]
    final = {"AL": "R", "EN-L": "L", "L": "L", "R": "R", "EN": "EN", "AN": "AN"}
    return [final.get(kind, "ON") for kind in types]  # W3, W6, W7


_BRACKETS: Final = dict(zip("([{（［｛「『【〈《", ")]}）］｝」』】〉》", strict=True))


def _bracket_pairs(text: str, types: list[str]) -> list[tuple[int, int]]:
    """Positions of matching brackets, in the order they open."""
    pairs: list[tuple[int, int]] = []
    opened: list[tuple[int, str]] = []
    for i, char in enumerate(text):
        if types[i] != "ON":
            continue
        if char in _BRACKETS:
            opened.append((i, _BRACKETS[char]))
        for depth in range(len(opened) - 1, -1, -1):
            if opened[depth][1] == char:
                pairs.append((opened[depth][0], i))
                del opened[depth:]
                break
    return sorted(pairs)


def _resolve_brackets(text: str, types: list[str], edge: str) -> None:
    """Give both brackets of a pair one direction, from what they hold and follow (UAX 9, rule N0)."""

    def side(kind: str) -> str:
        return {"L": "L", "ON": ""}.get(kind, "R")

    for first, last in _bracket_pairs(text, types):
        inside = {side(kind) for kind in types[first + 1 : last]} - {""}
        if not inside:
            continue
        before = next((side(kind) for kind in reversed(types[:first]) if side(kind)), edge)
        types[first] = types[last] = edge if edge in inside else before


def embedding_levels(text: str, base: int) -> list[int]:
    """Embedding level per character (even is left-to-right), without explicit embeddings."""
    edge = "R" if base else "L"
    types = _weak_types(text, edge)
    if base == 0 and not {"R", "AN"} & set(types):
        return [0] * len(types)
    _resolve_brackets(text, types, edge)
    i = 0
    while i < len(types):  # N1, N2: neutrals between two like directions take it, others the paragraph's
        end = i
        while end < len(types) and types[end] == "ON":
            end += 1
        if end > i:
            before = types[i - 1] if i else edge
            after = types[end] if end < len(types) else edge
            sides = {"L" if side == "L" else "R" for side in (before, after)}
            types[i:end] = [sides.pop() if len(sides) == 1 else edge] * (end - i)
        i = end + 1
    raised = {"L": base, "R": 1, "EN": 2, "AN": 2}
    levels = [raised[kind] if kind != "L" or not base else 2 for kind in types]
    for i in range(len(text) - 1, -1, -1):  # L1: blanks at the end of a line stay at its end
        if text[i] != " ":
            break
        levels[i] = base
    return levels
