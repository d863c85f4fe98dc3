"""What counts as a number: any real one, as a float."""

from numbers import Real

NOT_COMPUTED = float("0")  # reads as 0.0; being this very object tells it from a computed zero


def number(x: object) -> float:
    """`x` as a float; TypeError unless it is a real number (NumPy's scalars are)."""
    if type(x) is float:
        return x
    if type(x) is not int and not isinstance(x, Real) and not _is_numpy_bool(x):
        raise TypeError(f"expected a real number, got {type(x).__name__} ({short(x)})")
    try:
        return float(x)  # type: ignore[arg-type]
    except OverflowError:
        raise OverflowError(
            f"expected a number that fits a float, got {type(x).__name__} above 1.8e308"
        ) from None


def number_in(data: object, owner: object) -> float:
    """What was set as the data of a Value, its owner, as a float; TypeError if it is no number."""
    try:
        return number(data)
    except TypeError:
        raise TypeError(
            f"expected a number as the data of a Value, got {type(data).__name__}: write an "
            f"update by hand as w.data -= lr * w.grad, with lr a number; it was set on {owner!r}"
        ) from None


def shown(data: object) -> object:
    """What was set as data, as a float where it is a number."""
    try:
        return number(data)
    except (OverflowError, TypeError):
        return data if isinstance(data, Real) else short(data)


def short(x: object) -> str:
    """Its repr, cut to 40 letters."""
    text = repr(x)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is_numpy_bool(x: object) -> bool:
    """Whether `x` is a bool of NumPy's, which unlike Python's is not registered as a Real."""
    return type(x).__module__ == "numpy" and type(x).__name__ in ("bool", "bool_")
