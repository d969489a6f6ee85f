"""Colours that can be read: contrast as the Web Content Accessibility Guidelines define it."""

from __future__ import annotations

#: The least contrast of text to its background (WCAG AA).
READABLE = 4.5


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21.

    Examples
    --------
    >>> contrast("#000000", "#ffffff")
    21.0
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def readable(text: str, background: str) -> str:
    """The text colour in its own hue, darkened until it can be read on a light background.

    Examples
    --------
    >>> readable("#000000", "#ffffff")
    '#000000'
    """
    channels = _channels(text)
    for percent in range(100, -1, -2):
        darker = "#{:02x}{:02x}{:02x}".format(*(round(value * percent / 100) for value in channels))
        if contrast(darker, background) >= READABLE:
            return darker
    return "#000000"


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
