"""Colours as defined in the Web Content Accessibility Guidelines (WCAG)."""

import numpy as np


def linear(colour):
    """Return linear red, green and blue of a colour such as #1a4fa3, each from 0 to 1."""
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)
