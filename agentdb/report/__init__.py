"""What a run did, on one time axis: read once, drawn for a page, a file or a terminal.

`read` asks the database, `svg` and `line` draw, `markdown` and `html` tell the whole
story for a post-mortem.
"""
