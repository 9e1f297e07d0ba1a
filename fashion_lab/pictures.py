"""From a file to pixels: the ONE decode of training, index and query.

Placeholder interface (being written): open_picture, to_pixels, FITS, PictureError.
"""
