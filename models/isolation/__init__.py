"""Files are decoded in processes of their own, which may crash, hang or want too much memory without harm to others."""
