"""From files to hits: documents, passages, vectors and the indexes that find them."""
