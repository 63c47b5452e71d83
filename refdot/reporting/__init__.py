"""Reports: as JSON, on the terminal, as pages and as scripts."""
