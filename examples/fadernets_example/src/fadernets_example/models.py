"""A model: a variational autoencoder with one code and no faders, to compare the models of Table 1 with."""

from typing import ClassVar

from fadernets.models import base


class PlainVAE(base.Model):
    """Everything that it needs, the base class has: an encoder for its code, a decoder, reconstruction and KL."""

    CODES: ClassVar[dict[str, int]] = {"z": 1}  # name -> size, times `z` of the recipe's model options
