"""Reports as JSON, HTML pages, terminal output and scripts."""
