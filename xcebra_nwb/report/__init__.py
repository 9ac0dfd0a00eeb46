"""Show results to people: figures, sentences, pages and the atlas."""
