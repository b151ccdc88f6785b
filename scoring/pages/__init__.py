"""The parts of the report page: what is read, what is computed from it, and the page's templates."""
