"""Motion magnification: Eulerian by formula, linear and phase-based, and learned.

Everywhere `factor` is the total displacement ratio, 1 means unchanged, and Wu's and Wadhwa's alpha is factor − 1.
Images are uint8, which come back as uint8 (clipped, rounded half to even), or floats in 0..1, which come back as
float32, unclipped. Colour is RGB. `fps` is never assumed: a band in Hz means nothing without it.
"""
