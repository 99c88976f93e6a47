"""The second renderer: heads modelled in space, moved by muscles and drawn by a rasteriser.

It shares no drawing code with the first, which bends a photograph: what a method learns on one can be tested on the
other. Lengths are in *units*, the px of a 640x480 frame where a head looks straight ahead; x points right in the image,
y down, z to the camera; the origin lies between the eyes, on the axis of the head. Detecting motion that either of
them rendered says nothing about faces.
"""
