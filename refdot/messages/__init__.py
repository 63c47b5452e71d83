"""Error messages: the scenarios that raise them, what a target says, and regexes for that."""
