"""The site of the docs: staged from the Markdown pages, built strictly, its links checked (``make site``)."""
