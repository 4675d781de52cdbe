"""How a width multiplies channel counts."""


def scaled(channels: int, width: float) -> int:
    """Channels of a layer of ``channels`` at ``width``, at least one."""
    return max(1, round(channels * width))
