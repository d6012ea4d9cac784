"""CVAE (Sohn et al., 2015), as in Table 1: encoder and decoder are given the densities; a fader is the density."""

from __future__ import annotations

from typing import ClassVar

from fadernets.models import base


class CVAE(base.Model):
    """One code; encoder and decoder are given the attributes."""

    GIVEN: ClassVar[bool] = True
    ENCODER_GIVEN: ClassVar[bool] = True
