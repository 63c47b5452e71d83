"""Error messages: scenarios, what a target says in them, and regexes for that."""
