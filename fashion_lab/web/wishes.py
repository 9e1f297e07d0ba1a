"""From what clients write to what the desk understands: numbers, switches, filters, right or wrong."""

import json
from collections.abc import Mapping
from typing import Any

from fashion_lab.web.desk import Wish
from fashion_lab.web.refusals import Refusal, clip
from fashion_lab.web.settings import Settings

MAX_EXPAND = 50  # hits that a query may be averaged with; assumption
SWITCH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def wish(fields: Mapping[str, Any], settings: Settings, *, k: int = 5) -> Wish:
    """Read k, where, fold, expand and classes. Raises Refusal 400 for what they cannot be."""
    return Wish(
        k=count("k", fields.get("k", k), 1, settings.max_k),
        where=where(fields.get("where")),
        fold=switch("fold", fields.get("fold", True)),
        expand=count("expand", fields.get("expand", 0), 0, MAX_EXPAND),
        classes=switch("classes", fields.get("classes", False)),
    )


def count(name: str, value: object, least: int, most: int) -> int:
    """Read a whole number."""
    text = str(value)
    good = not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 10
    if not good or not least <= int(text) <= most:
        raise Refusal(400, f"{name}={clip(text)}: give a whole number, {least} to {most}")
    return int(text)


def switch(name: str, value: object) -> bool:
    """Read a yes or no."""
    if isinstance(value, bool):
        return value
    if str(value).lower() not in SWITCH:
        raise Refusal(400, f"{name}={clip(str(value))}: give true or false")
    return SWITCH[str(value).lower()]


def where(value: object) -> Mapping[str, Any] | None:
    """Read a filter: an object, or JSON that says one; whether the catalog has such a column shows later."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Refusal(400, f"where={clip(str(value))} is no JSON") from None
    if not isinstance(value, dict):
        raise Refusal(400, 'where= is no JSON object; give one such as {"class": "skirt"}')
    return value
