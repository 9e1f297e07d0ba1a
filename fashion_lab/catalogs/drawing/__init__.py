"""How the synthetic catalog draws.

sketch: outlines to planes · tops, bottoms, shoes, hats: the cuts · fabric: colours and patterns · ground: floors and
walls · camera: pose, light and noise · fields: noise and waves that every machine computes alike.
"""
