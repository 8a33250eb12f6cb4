"""From frames of speech to vectors and keywords: the parallel, cascaded and hybrid branches."""
