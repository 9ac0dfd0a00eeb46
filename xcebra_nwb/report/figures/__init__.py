"""Draw the figures of the pages with matplotlib."""
