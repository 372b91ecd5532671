"""What people look at: composites of fields, figures, retrieval galleries, tables and the HTML report."""
