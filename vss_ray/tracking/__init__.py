"""Objects that are pointed at, followed from frame to frame: RTS as a program. Torch, no Ray, no files.

Positions are pixels of the frame, (y, x); boxes are (left, top, right, bottom), pixel edges.
"""
