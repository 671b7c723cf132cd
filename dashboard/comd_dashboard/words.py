"""Numbers as people read them."""

from __future__ import annotations

NONE = "\u2013"
"""An en dash, where there is no number."""


def count(number: float | None) -> str:
    """1234567 -> '1,234,567'; NONE where there is none."""
    return NONE if number is None else f"{number:,.0f}"


def percent(share: float | None, digits: int = 0) -> str:
    """0.123 -> '12 %'."""
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def rate(per_second: float | None) -> str:
    """Records a second, or a minute where they are slower than that."""
    if per_second is None:
        return NONE
    if per_second >= 10:
        return f"{per_second:,.0f} / s"
    if per_second >= 1:
        return f"{per_second:.1f} / s"
    return f"{60 * per_second:.1f} / min"


def duration(seconds: float | None) -> str:
    """The two largest units: '12 s', '3 min 05 s', '2 h 07 min', '4 d 03 h'."""
    if seconds is None:
        return NONE
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def short(number: float | None) -> str:
    """1234567 -> '1.23 M': three digits, for numbers that are read at a glance."""
    if number is None:
        return NONE
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            return f"{_three_digits(number / size)} {unit}"
    return _three_digits(number) if number % 1 else f"{number:.0f}"


def size(bytes_: float | None) -> str:
    """Memory in the units that `top` and `nvidia-smi` show: '1.2 GiB'."""
    if bytes_ is None:
        return NONE
    if bytes_ >= 2**30:
        return f"{bytes_ / 2**30:.1f} GiB"
    return f"{bytes_ / 2**20:.0f} MiB"


def points(value: float | None, digits: int = 2) -> str:
    """A difference with its sign: '+0.52', with a true minus."""
    return NONE if value is None else f"{value:+.{digits}f}".replace("-", "\u2212")


def _three_digits(number: float) -> str:
    return f"{number:.{max(0, 3 - len(str(int(number))))}f}"
