"""Tables, figures, retrieval galleries, composites of fields, and the HTML report."""
