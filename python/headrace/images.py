"""Operations on images, for `image=` and `views=`: the engine's, with the same options.

At most one of each kind, in this order: `decode`, a crop, `random_horizontal_flip`, `normalize`. Without a crop every
picture keeps its own size. A string names a pipeline: ``image="train"``.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple, Union

#: Output pixels: the side of a square, or (height, width).
Size = Union[int, Tuple[int, int]]
Operation = Dict[str, Any]

#: The channel statistics of ImageNet's training pictures, as torchvision's models expect them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _operation(op: str, **options: Any) -> Operation:
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items() if value is not None}
    return {"op": op, **given}


def decode(
    dct: Optional[str] = None,
    fancy_upsampling: Optional[bool] = None,
    tolerant: Optional[bool] = None,
    max_pixels: Optional[int] = None,
) -> Operation:
    """Decodes to RGB; exact (`islow`) unless `dct="ifast"`. Larger pictures than `max_pixels` are bad samples."""
    return _operation("decode", dct=dct, fancyUpsampling=fancy_upsampling, tolerant=tolerant, maxPixels=max_pixels)


def random_resized_crop(
    size: Size,
    scale: Optional[Sequence[float]] = None,
    ratio: Optional[Sequence[float]] = None,
    law: Optional[str] = None,
) -> Operation:
    """A random part of the picture, resized: torchvision's law, or slipstream's (`law="slipstream"`)."""
    return _operation("randomResizedCrop", size=size, scale=_pair(scale), ratio=_pair(ratio), law=law)


def direct_random_resized_crop(
    size: Size, scale: Optional[Sequence[float]] = None, ratio: Optional[Sequence[float]] = None
) -> Operation:
    """slipstream's DirectRandomResizedCrop: draws only what fits."""
    return _operation("directRandomResizedCrop", size=size, scale=_pair(scale), ratio=_pair(ratio))


def center_crop(size: Size, ratio: Optional[float] = None) -> Operation:
    """The centre: with `ratio` FFCV's (a square of ratio x the shorter side, resized), without the pixels as they are."""
    return _operation("centerCrop", size=size, ratio=ratio)


def resize_center_crop(resize: int, size: Size) -> Operation:
    """torchvision's Resize(resize) and CenterCrop(size) in one pass."""
    return _operation("resizeCenterCrop", resize=resize, size=size)


def random_horizontal_flip(p: float = 0.5) -> Operation:
    """Mirrors left and right with probability `p`."""
    return _operation("randomHorizontalFlip", p=p)


def normalize(mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> Operation:
    """(value / 255 - mean) / std per channel, to float32 or float16."""
    return _operation("normalize", mean=tuple(mean), std=tuple(std))


def pipeline(name: str, size: Optional[Size] = None, ratio: Optional[float] = None, dct: Optional[str] = None) -> Operation:
    """The pipeline of that name: raw, decode, rrc, center, crop, resize-center or train, with options of its own."""
    options = {"size": list(size) if isinstance(size, tuple) else size, "ratio": ratio, "dct": dct}
    return {"preset": name, **{key: value for key, value in options.items() if value is not None}}


def _pair(value: Optional[Sequence[float]]) -> Optional[Tuple[float, ...]]:
    return None if value is None else tuple(value)
