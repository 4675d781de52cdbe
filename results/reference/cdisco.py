"""The old place of CDISCO's published numbers; goes once the figures import them from `results.reference`."""

from results.reference import PUBLISHED_SETTING, published_bands, published_clusters, published_means

__all__ = ["PUBLISHED_SETTING", "published_bands", "published_clusters", "published_means"]
