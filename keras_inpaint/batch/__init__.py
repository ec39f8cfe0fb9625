"""Complete photo files: a single one, a folder, or any number on Apache Beam."""
