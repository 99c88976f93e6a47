"""What every child needs, loaded once in the server that forks them."""

import mebench.cropping
import mebench.execute
import mebench.learning
import mebench.prepare
from mebench.vision.faces import dlib_finder

LOADED = (mebench.cropping, mebench.execute, mebench.learning, mebench.prepare, dlib_finder())
