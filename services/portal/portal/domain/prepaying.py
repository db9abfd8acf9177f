"""Session control in words: what the rule means, by an example made of its own figures."""

from common.money import exponent, format_money


def example(is_on: bool, threshold_minor: int, is_reserving: bool, currency: str) -> list[str]:
    """Sentences that walk through what somebody can book under the rule."""
    if not is_on:
        return ["Sessions can be added for anybody, whatever their balance is. Who does not pay ahead owes afterwards."]

    def money(amount_minor: int) -> str:
        return format_money(amount_minor, currency)

    price_minor = 40_000 if exponent(currency) == 3 else 4_000
    needed_minor = max(threshold_minor, price_minor) if is_reserving else threshold_minor
    said = [f"Ada wants a session that costs {money(price_minor)}."]
    if needed_minor == 0:
        said.append("She needs no money ahead, but may not owe anything: with a balance of zero it can be added.")
    else:
        half_minor = needed_minor // 2
        said.append(
            f"She needs {money(needed_minor)} left. With {money(half_minor)} it cannot be added:"
            f" {money(needed_minor - half_minor)} is missing, and she can be sent a link that pays exactly that."
        )
    if is_reserving:
        said.append(
            f"Once it is added, {money(price_minor)} is kept aside for it. For a second one at that price, before the"
            f" first took place, she needs {money(needed_minor + price_minor)} in all."
        )
    else:
        said.append(
            "Sessions that are booked and did not take place yet are not counted: with enough for one she can book"
            " several, and may owe for the later ones."
        )
    return said
