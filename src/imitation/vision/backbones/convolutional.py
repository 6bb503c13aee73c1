"""Small convolutional networks.

Both expect floating images with channels first, ``(B, C, H, W)``, scaled to [0, 1].
Saved policies and rewards name their parameters by the order of these layers.
"""

from torch import nn

from imitation.util import networks

# Sides in pixels below which the strides of the Nature network leave nothing.
SMALLEST_FOR_NATURE = 36

# Number of features of `small_cnn`.
SMALL_FEATURES = 32


def nature_convolutions(channels: int, side: int) -> nn.Sequential:
    """Builds the convolutions of Mnih et al., with smaller strides for small images.

    "Human-level control through deep reinforcement learning", Nature 518, 2015,
    Methods.

    Args:
        channels: number of channels of the images.
        side: the shorter side of the images, in pixels.

    Returns:
        A network from images to flat activations, shape ``(B, n)``, where n depends on
        both sides.
    """
    if side >= SMALLEST_FOR_NATURE:
        layers = [(channels, 32, 8, 4, 0), (32, 64, 4, 2, 0), (64, 64, 3, 1, 0)]
    else:
        layers = [(channels, 32, 3, 1, 1), (32, 64, 3, 2, 1), (64, 64, 3, 1, 1)]
    modules: list[nn.Module] = []
    for in_channels, out_channels, kernel, stride, padding in layers:
        modules += [nn.Conv2d(in_channels, out_channels, kernel, stride, padding)]
        modules += [nn.ReLU()]
    return nn.Sequential(*modules, nn.Flatten())


def small_cnn(channels: int) -> nn.Sequential:
    """Builds two convolutions of stride 2, an average over the image, a linear layer.

    Args:
        channels: number of channels of the images.

    Returns:
        A network from images of any size to ``(B, SMALL_FEATURES)``.
    """
    convolutions = networks.build_cnn(
        channels, (16, 32), SMALL_FEATURES, stride=2, padding=1
    )
    return nn.Sequential(convolutions, nn.ReLU())
