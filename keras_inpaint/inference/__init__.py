"""Run completion networks on arrays of pixels; the values of the settings."""

#: `none` leaves generated pixels as they are; `feather` fades colour differences at the rim out
#: within a few pixels; `poisson` spreads them over the whole hole.
METHODS = ("none", "feather", "poisson")
#: The default of the commands, the server's `/complete` and the page: a network without skip
#: connections does not match the rims of thin holes by itself (docs/experiments.md).
USUAL = "poisson"
#: Chooses the network among the presets, the scale, or whether to add texture.
AUTO = "auto"
#: Whether to fill holes with texture from the photo.
TEXTURE = (AUTO, "on", "off")
