"""Error messages: the scenarios that raise them, their survey, and regexes for them."""
