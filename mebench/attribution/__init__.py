"""Where on the face a network's attribution falls, and whether that is where skin moved.

A model that can be asked offers, beside what every model does:

    attributions(X (n, ...), classes (n,) str, at=None) -> Mapping[str, (n, h, w)]
        after fit: what in the plane of each row's input speaks for the class given with it, none negative, by name
        `kind:part`, as `grad-cam:layer4`. With `at`, a place (x, y) in px of the input, maps of the kind `row` may be
        added, which are about that place.
    attribution_facts(X (n, ...)) -> Mapping[str, Mapping[str, float | list[float]]]
        optional: figures of its parts, as the scales and temperatures of attention units.
    attribution_note
        optional: a sentence that stands with every picture.

The class asked about is always the one the model predicts: no label of a held-out clip reaches a map. A map says where,
never why, and much of it may come from the pictures and not from what was learnt (Adebayo et al. 2018, Sanity checks
for saliency maps): so every map is held against that of the same network with weights drawn anew.
"""
