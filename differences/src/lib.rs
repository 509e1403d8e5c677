//! Differences between images: what a host fetches if it has a similar image.
