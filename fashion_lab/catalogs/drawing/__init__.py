"""How the synthetic catalog draws.

outlines, sketch: points to planes · bodice, tops, dresses, bottoms, shoes, hats: the cuts · fabric: colours,
patterns, folds · ground: floors and walls · camera: pose, light, noise · fields: waves and noise.
"""
