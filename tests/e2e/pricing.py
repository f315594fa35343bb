"""What a request costs, computed apart from the program under test, in whole numbers only."""

import json
from pathlib import Path

PARENT = {"cached_input": "input", "cache_write": "input", "input_audio": "input",
          "input_image": "input", "reasoning": "output", "output_audio": "output",
          "output_image": "output"}


def pico_per_unit(per_million):
    """'2.5' dollars per million tokens as pico-dollars per token."""
    whole, _, places = str(per_million).partition(".")
    assert len(places) <= 6, per_million
    return int(whole) * 10**6 + int((places or "0").ljust(6, "0"))


def line_nanos(units, rate_pico, multipliers_ppm=()):
    """One price line in nano-dollars, rounded up once."""
    product, scale = units * rate_pico, 10**3
    for ppm in multipliers_ppm:
        product, scale = product * ppm, scale * 10**6
    return -(-product // scale)


class Catalogue:
    def __init__(self, folder):
        models = json.loads((Path(folder) / "models.json").read_text())["models"]
        self.models = {model["id"]: model for model in models}

    def rate(self, model, meter, input_tokens=0):
        """Pico-dollars per unit of a meter, for a request with that much input."""
        entry = self.models[model]
        price = entry["price"]
        for tier in sorted(entry.get("tiers", []), key=lambda t: t["above_input_tokens"]):
            if input_tokens > tier["above_input_tokens"]:
                price = tier.get("price", tier)
        while meter not in price and meter in PARENT:
            meter = PARENT[meter]
        return pico_per_unit(price.get(meter, "0"))

    def cost(self, model, multipliers_ppm=(), **units):
        """Nano-dollars for units by meter: cost("gpt-4o", input=3, output=2)."""
        total_input = sum(n for meter, n in units.items()
                          if meter == "input" or PARENT.get(meter) == "input")
        return sum(line_nanos(n, self.rate(model, meter, total_input), multipliers_ppm)
                   for meter, n in units.items() if n)


def short_text(nanos):
    """Nano-dollars as an answer says them: 1650 -> '0.00000165'."""
    whole, places = divmod(nanos, 10**9)
    return f"{whole}.{places:09d}".rstrip("0").rstrip(".")
