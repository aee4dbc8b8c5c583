"""A run in the browser: the archive as a list, questions, and every video with its masks over it.

Server-rendered pages and a little plain JavaScript. It only ever reads: OUT, and the source files that OUT's manifest
names; a request says which video by its id, never by a path.
"""
