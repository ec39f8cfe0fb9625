"""A network on arrays of pixels, and the words of its settings."""

#: `none` leaves generated pixels as they are; `feather` fades colour differences at the rim out
#: within a few pixels; `poisson` spreads them over the whole hole.
METHODS = ("none", "feather", "poisson")
#: What the commands, the server's `/complete` and the page do where nothing is said: a network
#: without skip connections does not meet thin holes' rims by itself (docs/experiments.md).
USUAL = "poisson"
#: The word for choosing: of the network among the presets, of the scale, of texture.
AUTO = "auto"
#: Whether holes are composed of texture from the photo.
TEXTURE = (AUTO, "on", "off")
