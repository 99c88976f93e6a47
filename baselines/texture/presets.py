"""Parameters of texture models as publications and their code used them, as far as they are known."""

from mebench import Preset

LINEAR_C1 = {"kernel": "linear", "scaling": "none", "C_grid": (1.0,), "class_weight": None}
LBP_TOP = {
    "megc2019": Preset(
        {"radii": (1, 1, 4), "neighbours": 4, "mapping": "full", "blocks": (5, 5), "frames": 10, **LINEAR_C1},
        "MEGC 2019 baseline (See et al., FG 2019, doi:10.1109/FG.2019.8756611): R (1, 1, 4), P 4, 5x5 blocks, TIM 10 "
        "as published; linear SVM with C = 1 from the organisers' script; all 16 codes and blocks of the code map are "
        "our reading (unconfirmed); names in that script suggest no TIM for CASME II",
    ),
    "casme2": Preset(
        {"radii": (1, 1, 4), "neighbours": 4, "mapping": "full", "blocks": (5, 5), "frames": 0, **LINEAR_C1},
        "CASME II baseline (Yan et al., PLoS ONE 2014, doi:10.1371/journal.pone.0086041), published with "
        "leave-one-video-out: all parameters unconfirmed, C and the 16 codes ours",
    ),
    "smic": Preset(
        {"blocks": (8, 8, 1), "frames": 10, **LINEAR_C1},
        "SMIC baseline (Li et al., FG 2013, doi:10.1109/FG.2013.6553717): 8x8x1 blocks, unconfirmed; radii, P, codes "
        "and C ours",
    ),
    "elbptop-casme2": Preset(
        {
            "radii": (3, 3, 3),
            "neighbours": 4,
            "mapping": "full",
            "blocks": (8, 8, 2),
            "frames": 10,
            "magnification": 21.0,
            **LINEAR_C1,
        },
        "LBP-TOP as tabulated by Guo et al. (ELBPTOP, arXiv:1907.09160, 2019): 8x8x2 blocks, TIM 10, P 4, R 3, "
        "Eulerian magnification with alpha 20 (a factor of 21), linear SVM; their WPCA is left out, one radius for all "
        "axes and C are ours",
    ),
    "meb": Preset(
        {
            "size": 112,
            "radii": (3, 3, 3),
            "neighbours": 8,
            "mapping": "u2",
            "blocks": (8, 8),
            "interpolation": "nearest",
            "style": "overlap-even",
            "overlap": 0.7,
            "frames": 10,
            "kernel": "poly",
            "scaling": "none",
            "C_grid": (1.0,),
            "class_weight": None,
        },
        "tvaranka/meb, meb/utils/traditional_methods.py: 112x112 px, R 3, P 8 u2, 8x8 blocks that overlap by "
        ".7, polynomial SVM; ten frames by TIM where it takes the first ten, every pixel in all blocks that hold it",
    ),
}
LBP_FIP = {
    "casme2": Preset(
        {
            "radii": (1, 1, 5),
            "neighbours": 8,
            "mapping": "u2",
            "blocks": (5, 5),
            "style": "sub-volume",
            "frames": 0,
            "magnification": 27.0,
            "kernel": "linear",
            "scaling": "none",
            "C_grid": (0.35,),
            "class_weight": None,
        },
        "the authors' code, WJShengD/Micro-Expression-Classification-using-Local-Binary-Pattern-from-Five-Intersecting-"
        "Planes: R (1, 1, 5), P 8 u2 bilinear, 5x5 crops, Eulerian magnification with alpha 26 (a factor of 27), no "
        "TIM, C = .35; its kernel is none of libsvm's, a linear one is ours, and so is the band (all that differs from "
        "the onset)",
    ),
}
